"""Build, store and read VIMOS: clips with captions, measured questions and answers, on disk as Parquet and MP4."""
