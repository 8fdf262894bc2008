"""Questions as people type them, and what a model makes of them."""
