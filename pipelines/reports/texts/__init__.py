"""Page texts in English and Chinese."""
