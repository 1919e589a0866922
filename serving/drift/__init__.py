"""Drift: what a model sees in production beside what it saw in training, and how well it does."""
