"""sandbox/__init__."""
