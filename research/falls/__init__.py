"""Material, training and frame order of the fall detector of `vimonet.motion.kinematics.falling`."""
