"""Video diffusion models that are given the first and the last frame. diffusers is imported when one is loaded."""
