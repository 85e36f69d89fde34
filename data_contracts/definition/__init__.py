"""Contracts: ODCS YAML compiled into columns and rules."""
