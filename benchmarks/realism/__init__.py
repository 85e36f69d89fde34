"""Measures of how real a synthetic world looks, used by ``benchmarks/world_realism.py``."""
