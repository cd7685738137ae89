"""The smallest card that a bundle's tests can add their artefacts to."""

TINY = """\
name = "tiny"
version = "1"
task = "detection"
licence = "Apache-2.0"
labels = ["a"]
inputs = [{ name = "x", shape = [1] }]
outputs = [{ name = "y", shape = [1] }]
"""
