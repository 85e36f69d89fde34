"""Stage ``watch``: early warning on open loans, by dated rules on the same features that a score is made of."""
