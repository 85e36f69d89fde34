"""Prose checks: our own word list and the chosen checks of proselint, over everything that people read."""
