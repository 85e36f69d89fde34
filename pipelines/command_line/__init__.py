"""The commands of ``passport``: options, terminal output, and one function per command."""
