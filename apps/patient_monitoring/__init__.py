"""Vital signs of a ward → early warning → nurse station.

Reference software for simulation and research, not a medical device: not for clinical use,
diagnosis, or alarming on real patients.
"""

NOT_A_DEVICE = "Reference software for simulation and research. Not a medical device."
"""Said on every screen, in every message that leaves and at start."""
