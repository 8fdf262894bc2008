"""Serve answers about movement over HTTP."""
