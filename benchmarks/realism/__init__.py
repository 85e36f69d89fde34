"""Measures of how realistic a synthetic world is, used by ``benchmarks/world_realism.py``."""
