"""Turn a VIMOS dataset into batches: sampling, chat encoding, packing, collating."""
