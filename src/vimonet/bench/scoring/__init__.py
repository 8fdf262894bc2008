"""Score answers: answer formats, text metrics, intervals, and the sections of a report."""
