"""How alike two features are: by definition but for constants, and by words. Pure."""
