"""Parts of the payout speed benchmark: made-up rows, the timed tasks, and their checks."""
