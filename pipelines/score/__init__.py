"""Stage and command ``score``: score applicants and issue passports."""
