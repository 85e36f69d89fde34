"""Signed bundles, promotion gates, the ledger and the MLflow registry."""
