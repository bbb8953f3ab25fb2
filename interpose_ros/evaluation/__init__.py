"""Estimates against the truth: trajectories, pairs, errors."""
