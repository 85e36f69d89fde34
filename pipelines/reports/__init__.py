"""Self-contained HTML pages for risk teams, data desks and sellers."""
