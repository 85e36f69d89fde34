"""A synthetic seller world whose truth is known, written as raw files in real source formats."""
