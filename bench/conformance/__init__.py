"""Feast's own test suites, run from a checkout against our stores. None of its code is here."""
