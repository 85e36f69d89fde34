"""The lender's policy: dated, cited terms and products, read from ``policy.yaml``."""
