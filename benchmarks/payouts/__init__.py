"""The parts of the payout speed benchmark: made-up rows, the readers they are timed against, and their checks."""
