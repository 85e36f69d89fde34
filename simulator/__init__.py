"""A synthetic world of sellers with known truth, written as raw files in real source formats."""
