"""Stage ``validate``: check canonical tables and reconcile sources."""
