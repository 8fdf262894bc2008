"""Makers of questions: from measured facts and labels, from captions, from language models."""
