"""Wan 2.1 VACE: a video with grey gaps and a mask of what is to be filled in; both ends are kept."""

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
from interpose_ros.interpolation.diffusion.wan import prepare_wan_schedule
from interpose_ros.interpolation.diffusion.wan_latents import decode_wan_latents, spatial_step, temporal_step

_GREY = 128


class VaceOptions(FamilyOptions):
    """Settings of VACE."""

    flow_shift: float | None = Field(None, gt=0.0, description="Shift of the noise levels; None for the checkpoint's.")
    conditioning_scale: float = Field(1.0, ge=0.0, le=2.0, description="How firmly given frames are kept.")


class WanVaceFamily:
    """Wan's model for editing videos, given everything but the middle as a gap."""

    name = "wan_vace"
    transformers = ("WanVACETransformer3DModel",)
    options: type[FamilyOptions] = VaceOptions
    one_dtype = False

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """See ``VideoFamily``."""
        config, vae = checkpoint.config("transformer"), checkpoint.config("vae")
        if not config.get("vace_layers"):
            raise VideoCheckpointError(
                f"{checkpoint.folder} has no vace_layers: nothing would take the given frames in"
            )
        return Capability(temporal_step(vae), spatial_step(vae, config))

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """See ``VideoFamily``."""
        return "WanVACEPipeline"

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """See ``VideoFamily``."""
        prepare_wan_schedule(pipeline, request)

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """See ``VideoFamily``."""
        return len(request.sigmas) or request.steps

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, VaceOptions)
        height, width = request.first.shape[:2]
        gap = as_pil(np.full((height, width, 3), _GREY, dtype=np.uint8))
        keep, fill = (as_pil(np.full((height, width, 3), value, dtype=np.uint8)).convert("L") for value in (0, 255))
        between = request.frames - 2
        result = pipeline(
            video=[as_pil(request.first), *[gap] * between, as_pil(request.last)],
            mask=[keep, *[fill] * between, keep],
            conditioning_scale=options.conditioning_scale,
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            height=height,
            width=width,
            num_frames=request.frames,
            num_inference_steps=self.steps(pipeline, request),
            guidance_scale=request.guidance,
            generator=generator,
            output_type="np",
            callback_on_step_end=watch,
        )
        frames = as_images(result.frames[0])
        return GeneratedVideo(frames, len(frames) - 1)

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """See ``VideoFamily``."""
        return decode_wan_latents(pipeline, latents)
