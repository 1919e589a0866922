"""Words that every room shares. Imports nothing of Fieldhouse but itself, and nothing heavy."""
