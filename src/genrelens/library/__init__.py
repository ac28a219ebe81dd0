"""A whole library: scan it, tag it, and be able to take it back."""
