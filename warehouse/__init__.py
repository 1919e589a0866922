"""The warehouse: engines behind one port, as-of joins, snapshots, profiles, quality."""
