"""Isolated workers: a process with an environment of its own that answers for one model."""
