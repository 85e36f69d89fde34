"""Which files were delivered, by whom, for which period."""
