"""The rules, a family a file. `catalogue.RULES` lists them all; `engine.judge` runs them."""
