"""What data must look like: contracts, strict readers, row checks. Imports nothing of ours."""
