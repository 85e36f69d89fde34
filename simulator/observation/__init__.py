"""What can be observed of the world: available sources, spellings, defects, related invoices, traces of fraud."""
