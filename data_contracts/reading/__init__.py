"""Read files of every supported format into text columns with their physical rows."""
