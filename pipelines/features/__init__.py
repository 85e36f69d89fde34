"""Stage ``features``: build the feature matrix from validated tables."""
