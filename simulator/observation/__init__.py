"""What the world shows of itself: spellings, defects, related invoices, lies."""
