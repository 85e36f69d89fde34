"""Default models: training, evaluation, explanation, bundles and registry."""
