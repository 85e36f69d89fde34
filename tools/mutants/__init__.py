"""Mutation testing: put small faults into modules that decide a score, money or trust, and count those noticed."""
