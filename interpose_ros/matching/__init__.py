"""Learned local features, matches, overlap, and poses of two or more views from matches."""
