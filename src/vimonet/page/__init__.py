"""The page that people open: a recording as one JSON document, its skeleton, time line, plots and chat.

`vimonet view` writes it as one self-contained HTML file; `vimonet serve` serves the same assets.
"""
