"""Data contracts: definitions, strict readers, row checks, mappings to canonical tables. Imports no other package."""
