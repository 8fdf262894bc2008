"""Build vimos-open, the dataset of the shipped models: recordings, augmented, joined and asked about."""
