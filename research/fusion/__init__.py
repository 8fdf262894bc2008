"""The fusion experiment: does a model answer more with the movement and its film together than with either alone?"""
