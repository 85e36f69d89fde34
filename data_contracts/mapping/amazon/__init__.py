"""Shared parts of Amazon's sources: marketplaces, settlements, and event types of settlement amounts."""
