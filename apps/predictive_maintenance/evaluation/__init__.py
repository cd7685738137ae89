"""Accuracy on recordings and on simulated weeks, by the very code of the station."""
