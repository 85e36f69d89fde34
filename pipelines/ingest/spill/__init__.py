"""Keep rows on disk that do not fit in memory."""
