"""SHAP values, points and reasons of a model."""
