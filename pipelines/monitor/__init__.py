"""Stage ``monitor``: compare scored applicants with the training population."""
