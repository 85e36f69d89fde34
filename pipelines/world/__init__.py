"""Stage ``world``: write a synthetic seller world as raw files."""
