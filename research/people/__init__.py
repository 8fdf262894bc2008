"""Score models on questions as people type them."""
