"""Builders of small test data with known answers."""
