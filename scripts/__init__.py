"""Maintainers' scripts: ``python -m scripts.NAME`` from the root of a clone."""
