"""Check an answer against the measured facts, topic by topic."""
