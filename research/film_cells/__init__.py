"""Motion alone, video alone, both, neither: what each says of the labelled films that no weights were trained on."""
