"""Ask a trained model: windows of a recording in, answers with confidence and provenance out."""
