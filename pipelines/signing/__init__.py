"""Keys, Ed25519 signatures and credentials."""
