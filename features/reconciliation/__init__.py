"""Cross-checks of sources: claims and their witnesses, and the chain of export documents."""
