"""Raw sources, one folder each: contract and mapping to canonical tables."""
