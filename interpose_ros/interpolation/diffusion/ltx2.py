"""LTX-2: both frames as conditions; sound is made beside the video and thrown away.

The condition's ``index`` counts latent frames. From diffusers 0.39 on, a frame at latent index i is an extra token at video
frame ``(i - 1) * 8 + 1``, so that the last index puts image B seven frames before the end: what comes after is dropped here.
Earlier versions overwrote the last eight frames with a still; `installed.py` refuses those.
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
from interpose_ros.interpolation.diffusion.ltx import ltx_compression
from interpose_ros.interpolation.diffusion.pictures import as_pil


class Ltx2Options(FamilyOptions):
    """Settings of LTX-2."""

    frame_rate: float = Field(24.0, gt=0.0, le=60.0, description="Frames per second that the model is told.")
    image_crf: int | None = Field(
        0,
        ge=0,
        le=51,
        description="H.264 compression that given frames go through first, as in training: None for the model's own (needs "
        "PyAV), 0 for none.",
    )
    spatio_temporal_guidance: float = Field(0.0, ge=0.0, description="Guidance by skipped attention; 0 for none.")
    guidance_blocks: tuple[int, ...] = Field((), description="Transformer blocks that it skips.")
    modality_guidance: float = Field(1.0, ge=0.0, description="Guidance by video without sound; 1 for none.")
    guidance_rescale: float = Field(0.0, ge=0.0, le=1.0, description="Against overexposure by guidance.")
    max_prompt_tokens: int = Field(1024, ge=8, le=4096, description="Prompts are padded or cut to so many tokens.")


class Ltx2Family:
    """LTX-2 with conditions at any latent frame."""

    name = "ltx2"
    transformers = ("LTX2VideoTransformer3DModel",)
    options: type[FamilyOptions] = Ltx2Options
    one_dtype = False

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """See ``VideoFamily``."""
        if "connectors" not in checkpoint.components:
            raise VideoCheckpointError(f"{checkpoint.folder} has no connectors between text encoder and transformer")
        time, space = ltx_compression(checkpoint.config("vae"), checkpoint.config("transformer"))
        note = f"Image B stands {time - 1} frames before the end; what comes after is dropped." if time > 1 else ""
        return Capability(time, max(space, 32), 2 * time + 1, note=note)

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """See ``VideoFamily``."""
        return "LTX2ConditionPipeline"

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """See ``VideoFamily``."""

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """See ``VideoFamily``."""
        return len(request.sigmas) or request.steps

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """See ``VideoFamily``."""
        from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

        options = request.options
        assert isinstance(options, Ltx2Options)
        height, width = request.first.shape[:2]
        step = int(pipeline.vae_temporal_compression_ratio)
        latents = (request.frames - 1) // step + 1
        blocks = list(options.guidance_blocks) or None
        result = pipeline(
            conditions=[
                LTX2VideoCondition(frames=as_pil(request.first), index=0, crf=options.image_crf),
                LTX2VideoCondition(frames=as_pil(request.last), index=latents - 1, crf=options.image_crf),
            ],
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            height=height,
            width=width,
            num_frames=request.frames,
            frame_rate=options.frame_rate,
            num_inference_steps=self.steps(pipeline, request),
            sigmas=list(request.sigmas) or None,
            guidance_scale=request.guidance,
            guidance_rescale=options.guidance_rescale,
            stg_scale=options.spatio_temporal_guidance if blocks else 0.0,
            spatio_temporal_guidance_blocks=blocks,
            modality_scale=options.modality_guidance,
            # The sound is not wanted, but the passes that guide it would cost as much as the video's.
            audio_guidance_scale=request.guidance,
            audio_stg_scale=options.spatio_temporal_guidance if blocks else 0.0,
            audio_modality_scale=options.modality_guidance,
            audio_guidance_rescale=options.guidance_rescale,
            max_sequence_length=options.max_prompt_tokens,
            generator=generator,
            output_type="np",
            callback_on_step_end=watch,
        )
        last = last_frame_index(request.frames, step)
        return GeneratedVideo(as_images(result.frames[0])[: last + 1], last)

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """None: given frames are extra tokens, packed among the others."""
        return None


def last_frame_index(frames: int, step: int) -> int:
    """Number of the video frame at which a condition at the last latent index stands."""
    last_latent = (frames - 1) // step
    return (last_latent - 1) * step + 1
