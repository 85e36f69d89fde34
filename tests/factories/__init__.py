"""Builders of tiny tables with known answers."""
