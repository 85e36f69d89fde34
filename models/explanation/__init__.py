"""SHAP values, points and reasons."""
