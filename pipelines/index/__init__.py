"""The pages over a whole run: index, promotion, monitoring, passports; and stable addresses for the stages' pages."""
