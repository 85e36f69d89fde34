"""Canonical tables as ODCS contracts, one YAML file for each table."""
