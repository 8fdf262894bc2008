"""Encode one modality each: video towers, among them LanguageBind and EfficientNet-Lite, and the keypoint tower."""
