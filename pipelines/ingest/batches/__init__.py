"""Process a batch of files of one source: read, check, map, and set rows aside."""
