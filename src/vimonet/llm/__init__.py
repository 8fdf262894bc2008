"""Ask a language model behind an OpenAI-compatible endpoint, which reads the motion as text."""
