"""The use cases: check, propose, approve, apply, and what may change at run time."""
