"""People in contact: estimated bodies are moved so that they touch where they are said to touch.

After "Pose Priors from Language Models" (ProsePose, CVPR 2025, arXiv 2405.03689), written anew from its description.
"""
