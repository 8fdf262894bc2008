"""Hold what every room uses: the one user error, the cache folder, statistics."""
