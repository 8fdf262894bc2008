"""Annotate clips: from measured facts and labels, from captions, with language models."""
