"""Turn joints into the features that motion encoders read: HumanML3D's 263 numbers, and body features."""
