"""Training sets: correct at each row's time, immutable, rebuilt from their snapshots."""
