"""Model bundles, the gate in front of them, and the model server beside the application."""
