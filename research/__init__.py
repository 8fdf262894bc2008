"""Experiments and the recipe of our own dataset, outside the package; run from the root of the clone."""
