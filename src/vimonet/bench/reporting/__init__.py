"""Write a benchmark's report: JSON, Markdown tables, charts, and several reports side by side."""
