"""Build vimos-open, the dataset that the shipped model is trained on: recordings, augmented, joined and asked about."""
