"""Sensors and the systems that speak for them: one file each."""
