"""Latents of Wan's autoencoder, which SkyReels V2 uses too."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float


def decode_wan_latents(pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"]:
    """Frames between 0 and 1 of normalised latents, (1, channels, frames, height, width)."""
    import torch

    vae = pipeline.vae
    with torch.no_grad():
        device = next(vae.parameters()).device
        latents = latents.to(device=device, dtype=vae.dtype)
        shape = (1, vae.config.z_dim, 1, 1, 1)
        mean = torch.tensor(vae.config.latents_mean).view(shape).to(latents)
        spread = torch.tensor(vae.config.latents_std).view(shape).to(latents)
        video = vae.decode(latents * spread + mean, return_dict=False)[0]
    return pipeline.video_processor.postprocess_video(video, output_type="np")[0]


def temporal_step(config: Any) -> int:
    """Frames per latent frame, from the autoencoder's configuration."""
    return int(config.get("scale_factor_temporal") or 4)


def spatial_step(vae: Any, transformer: Any) -> int:
    """Pixels per token, from both configurations."""
    patch = transformer.get("patch_size") or (1, 2, 2)
    return max(int(vae.get("scale_factor_spatial") or 8) * int(patch[-1]), 16)
