"""Scenes known exactly: people of given clothes and shapes move in a furnished room before a camera, and are filmed.

`description` says what a scene holds, `draw` draws one from a seed, `camera` places points in its picture, `bodies`
and `meshes` give it shape, `renderer` films it (Panda3D, extra ``render3d``), `film` writes the MP4, `questions` asks.
"""
