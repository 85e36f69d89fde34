"""Stage ``explain``: write the model page and the explanation page."""
