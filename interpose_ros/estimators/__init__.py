"""Pose estimators: from a list of views to the pose of the last one seen from the first."""
