"""Thirteen-week cash forecast of each seller, as a weekly distribution."""
