"""Find out which files were delivered, by whom, and for which period."""
