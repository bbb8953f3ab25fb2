"""DUSt3R: network for the public checkpoints, inference over a set of views, poses from its pointmaps.

Written from published descriptions of the architecture and of the checkpoint files. Source of the method: Wang, Leroy,
Cabon, Chidlovskii, Revaud, "DUSt3R: Geometric 3D Vision Made Easy", CVPR 2024 (arXiv 2312.14132).
"""
