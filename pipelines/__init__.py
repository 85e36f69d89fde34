"""What runs: stages, publishing, command line, reports."""
