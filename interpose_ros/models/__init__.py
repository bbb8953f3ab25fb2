"""Weights: which there are, under which licence, where they are expected, and how they get there."""
