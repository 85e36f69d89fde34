"""Contract definitions: ODCS YAML compiled into columns and rules."""
