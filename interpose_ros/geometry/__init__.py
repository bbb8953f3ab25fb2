"""Rigid transforms, cameras, distances between poses, alignment and robust means. Angles are radians, lengths metres."""
