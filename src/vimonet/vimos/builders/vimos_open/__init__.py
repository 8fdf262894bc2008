"""Build vimos-open: openly licensed recordings, augmented, joined and asked about."""
