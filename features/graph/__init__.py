"""Related-party signals from as-of snapshots of company links."""
