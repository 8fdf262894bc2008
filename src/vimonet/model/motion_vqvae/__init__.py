"""Encode motion as discrete codes: the motion VQ-VAE of T2M-GPT's topology (arXiv 2301.06052)."""
