"""VIMOS: recordings, measured questions, and the dataset on disk that a model is trained and asked on.

Knows movement (`vimonet.motion`), nothing of models.
"""
