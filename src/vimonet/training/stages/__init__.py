"""Run one stage of training each, from a configuration to a folder that loads."""
