"""Default models: data sets, training, evaluation, explanation, bundles."""
