"""Choosing what to believe: subsets, scores, and confidence."""
