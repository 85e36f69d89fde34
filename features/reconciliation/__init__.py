"""Compare what several sources say about the same claim."""
