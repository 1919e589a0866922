"""The worked example on the flights out of New York in 2013. No room imports it."""
