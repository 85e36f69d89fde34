"""Canonical tables as ODCS contracts, one YAML file a table."""
