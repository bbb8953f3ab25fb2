"""HunyuanVideo FramePack: sections of a video from its end to its start, each with the first image in mind.

The last image is clean context of the section that is made first, right after its end, and not a frame of the video. Only
checkpoints trained with inverted anti-drifting sampling (FramePackI2V_HY) take one; the F1 checkpoints, which are sampled
forwards, have the same configuration and cannot be told from them by it. As no frame of the video is the last image, only
the seam to B can show that B was not heeded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from interpose_ros.interpolation.diffusion.checkpoint import VideoCheckpoint
from interpose_ros.interpolation.diffusion.errors import VideoCheckpointError
from interpose_ros.interpolation.diffusion.family import (
    Capability,
    FamilyOptions,
    GeneratedVideo,
    GenerationRequest,
    Watch,
    as_images,
)
from interpose_ros.interpolation.diffusion.pictures import as_pil


class FramepackOptions(FamilyOptions):
    """Settings of FramePack. The request's guidance is the distilled one that is fed to the network."""

    latent_window: int = Field(9, ge=2, le=33, description="Latent frames per section.")
    true_guidance: float = Field(1.0, ge=1.0, description="Classifier-free guidance beside it; 1 for none.")
    max_prompt_tokens: int = Field(256, ge=8, le=1024, description="Prompts are padded or cut to so many tokens.")


class FramepackFamily:
    """HunyuanVideo with FramePack's context."""

    name = "framepack"
    transformers = ("HunyuanVideoFramepackTransformer3DModel",)
    options: type[FamilyOptions] = FramepackOptions
    one_dtype = False

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """See ``VideoFamily``."""
        config = checkpoint.config("transformer")
        if not config.get("has_clean_x_embedder") or not config.get("has_image_proj"):
            raise VideoCheckpointError(
                f"{checkpoint.folder} takes no clean frames as context (has_clean_x_embedder, has_image_proj): it is not "
                "FramePack's transformer"
            )
        if "image_encoder" not in checkpoint.components:
            raise VideoCheckpointError(
                f"{checkpoint.folder} has no image_encoder; FramePack's transformer is published alone, and runs with "
                "HunyuanVideo's other networks and FLUX Redux' image encoder: `interpose models pull` puts them together"
            )
        step = int(checkpoint.config("vae").get("temporal_compression_ratio") or 4)
        return Capability(step, 16, step + 1, note="The number of frames is rounded up to whole sections.")

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """See ``VideoFamily``."""
        return "HunyuanVideoFramepackPipeline"

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """See ``VideoFamily``."""

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, FramepackOptions)
        section = (options.latent_window - 1) * int(pipeline.vae_scale_factor_temporal) + 1
        sections = max(1, -(-request.frames // section))
        return sections * (len(request.sigmas) or request.steps)

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, FramepackOptions)
        height, width = request.first.shape[:2]
        result = pipeline(
            image=as_pil(request.first),
            last_image=as_pil(request.last),
            prompt=request.prompt,
            negative_prompt=request.negative_prompt if options.true_guidance > 1 else None,
            height=height,
            width=width,
            num_frames=request.frames,
            latent_window_size=options.latent_window,
            num_inference_steps=len(request.sigmas) or request.steps,
            sigmas=list(request.sigmas) or None,
            guidance_scale=request.guidance,
            true_cfg_scale=options.true_guidance,
            max_sequence_length=options.max_prompt_tokens,
            generator=generator,
            output_type="np",
            callback_on_step_end=watch,
        )
        return GeneratedVideo(as_images(result.frames[0]), None)

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """None: a section says nothing about the whole clip."""
        return None
