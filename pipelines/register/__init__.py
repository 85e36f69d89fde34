"""Stage ``register``: pass the promotion gates and register the bundle in MLflow."""
