"""Benchmarks against peers, and the machine that they ran on. Nothing that a room needs."""
