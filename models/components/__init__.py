"""Additive model components in log-odds, with their encoding, calibration and scale."""
