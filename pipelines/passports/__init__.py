"""Credit passports: build, issue and verify them."""
