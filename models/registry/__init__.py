"""Signed bundles, promotion gates, the promotion ledger and the MLflow registry."""
