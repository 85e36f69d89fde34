"""Who is who: identifiers checked, company names taken apart, and matches between them that can be undone."""
