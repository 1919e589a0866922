"""The governed registry: definitions, digests, changes, rules, lifecycle, audit, store."""
