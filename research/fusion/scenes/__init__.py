"""Render scenes that are known exactly: people move in a furnished room before a camera, and are filmed.

`scene` says what a scene holds, `draw_scene` draws one from a seed, `pinhole` places points in its picture, `bodies`
and `meshes` give it shape, `renderer` renders it (Panda3D), `film_scene` writes the MP4, `scene_questions` asks.
"""
