"""LTX-Video from 0.9.5 on: both frames as conditions, each at its number among the frames."""

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


class LtxOptions(FamilyOptions):
    """Settings of LTX-Video."""

    timesteps: tuple[float, ...] = Field(
        (), description="Times from 1000 down that a distilled model was trained at; none for the scheduler's own."
    )
    frame_rate: int = Field(25, ge=1, le=60, description="Frames per second that the model is told.")
    image_noise: float = Field(0.0, ge=0.0, le=1.0, description="Noise on the given frames; 0 keeps them as they are.")
    guidance_rescale: float = Field(0.0, ge=0.0, le=1.0, description="Against overexposure by guidance.")
    decode_timestep: float = Field(0.05, ge=0.0, le=1.0, description="Of a decoder that takes the last step itself.")
    decode_noise: float = Field(0.025, ge=0.0, le=1.0, description="Noise that such a decoder starts from.")


class LtxFamily:
    """LTX-Video with conditions at any frame."""

    name = "ltx"
    transformers = ("LTXVideoTransformer3DModel",)
    options: type[FamilyOptions] = LtxOptions
    one_dtype = True

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """See ``VideoFamily``."""
        vae = checkpoint.config("vae")
        blocks = vae.get("down_block_types") or ()
        if not any("095" in str(block) for block in blocks):
            raise VideoCheckpointError(
                f"{checkpoint.folder} has the autoencoder of LTX-Video before 0.9.5 ({', '.join(map(str, blocks[:1]))}), "
                "which was trained with a first frame only; 0.9.5 and later take frames anywhere"
            )
        time, space = ltx_compression(vae, checkpoint.config("transformer"))
        return Capability(time, max(space, 32), time + 1)

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """See ``VideoFamily``."""
        return "LTXConditionPipeline"

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """See ``VideoFamily``."""

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, LtxOptions)
        return len(options.timesteps) or request.steps

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """See ``VideoFamily``."""
        from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

        options = request.options
        assert isinstance(options, LtxOptions)
        height, width = request.first.shape[:2]
        last = request.frames - 1
        result = pipeline(
            conditions=[
                LTXVideoCondition(image=as_pil(request.first), frame_index=0),
                LTXVideoCondition(image=as_pil(request.last), frame_index=last),
            ],
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            height=height,
            width=width,
            num_frames=request.frames,
            frame_rate=options.frame_rate,
            num_inference_steps=self.steps(pipeline, request),
            timesteps=list(options.timesteps) or None,
            guidance_scale=request.guidance,
            guidance_rescale=options.guidance_rescale,
            image_cond_noise_scale=options.image_noise,
            decode_timestep=options.decode_timestep,
            decode_noise_scale=options.decode_noise,
            generator=generator,
            output_type="np",
            callback_on_step_end=watch,
        )
        return GeneratedVideo(as_images(result.frames[0]), last)

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """None: given frames are extra tokens with noise levels of their own, packed among the others."""
        return None


def ltx_compression(vae: Any, transformer: Any) -> tuple[int, int]:
    """Frames per latent frame and pixels per token, from the configurations."""
    halvings = sum(bool(value) for value in vae.get("spatio_temporal_scaling") or (True, True, True, False))
    time = vae.get("temporal_compression_ratio") or int(vae.get("patch_size_t") or 1) * 2**halvings
    space = vae.get("spatial_compression_ratio") or int(vae.get("patch_size") or 4) * 2**halvings
    return int(time), int(space) * int(transformer.get("patch_size") or 1)
