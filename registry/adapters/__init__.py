"""Where the registry meets the outside: Feast, SQL, files. One technology a module."""
