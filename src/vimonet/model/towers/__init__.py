"""Encode one modality each: video towers, LanguageBind, and the keypoint tower with its 2D-to-3D lifter."""
