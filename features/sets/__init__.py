"""Named, ordered feature sets."""
