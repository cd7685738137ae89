"""How good the counting is: truth, detections made from it, and the figures."""
