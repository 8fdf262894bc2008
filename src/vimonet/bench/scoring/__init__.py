"""Score answers: metrics of texts, and the sections of a report, each with its numbers and its Markdown."""
