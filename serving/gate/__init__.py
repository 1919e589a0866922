"""The gate: is the candidate better, proper, fast, small enough, and fed the same features?"""
