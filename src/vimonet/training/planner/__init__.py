"""Plan a training run before it starts: memory per device, FLOPs and time."""
