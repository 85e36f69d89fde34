"""Read a batch of files of one source: parse, check, map, set rows aside."""
