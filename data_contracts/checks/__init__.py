"""Check typed rows against the rules of their contract."""
