"""Serve answers about movement over HTTP: chat, files, facts, captions, search, keypoints, and the page.

    app = create_app(vimonet.load)   # vimonet.serve.app; `vimonet serve` runs it

Importing it loads no web framework.
"""
