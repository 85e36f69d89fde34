"""Integrity rules: named signs of false trade, with what a lender does about each."""
