"""From a score to an offer: what a lender and a seller need beyond the probability of default."""
