"""Stages, the command line and the pages: everything that reads, writes and runs."""
