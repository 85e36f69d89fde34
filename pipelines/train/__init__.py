"""Stage ``train``: train, calibrate and evaluate the default model."""
