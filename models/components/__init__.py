"""Additive model components in log-odds, their encoding, calibration and scale."""
