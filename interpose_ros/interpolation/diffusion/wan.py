"""Wan 2.1 FLF2V, Wan 2.2 I2V A14B, Wan 2.1 Fun InP: first and last frame enter as latents beside the noise.

Settings of the published recipes: FLF2V 50 steps, shift 16, guidance 5.5; I2V A14B 40 steps, shift 5, guidance 3.5 for both
transformers (Wan-Video/Wan2.1 and Wan2.2, ``generate.py`` and ``configs``).
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
from interpose_ros.interpolation.diffusion.schedule import set_flow_shift, set_sigmas
from interpose_ros.interpolation.diffusion.wan_latents import decode_wan_latents, spatial_step, temporal_step


class WanOptions(FamilyOptions):
    """Settings of Wan."""

    flow_shift: float | None = Field(None, gt=0.0, description="Shift of the noise levels; None for the checkpoint's.")
    guidance_low_noise: float | None = Field(
        None, ge=0.0, description="Guidance of the second transformer; None for the same."
    )


class WanFamily:
    """Image-to-video models of Wan that take a last frame."""

    name = "wan"
    transformers = ("WanTransformer3DModel",)
    options: type[FamilyOptions] = WanOptions
    one_dtype = False

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """See ``VideoFamily``."""
        if checkpoint.index.get("expand_timesteps"):
            raise VideoCheckpointError(
                f"{checkpoint.folder} (expand_timesteps, as Wan 2.2 TI2V 5B) ignores the last frame without a word: its "
                "pipeline only pins the first. Choose a Wan I2V A14B, FLF2V, Fun InP or VACE checkpoint"
            )
        config, vae = checkpoint.config("transformer"), checkpoint.config("vae")
        noise = int(vae.get("z_dim") or 16)
        given = int(config.get("in_channels") or 0) - noise
        if given <= noise:
            raise VideoCheckpointError(
                f"{checkpoint.folder} takes {config.get('in_channels')} channels, no more than the noise: it makes videos "
                "of text alone. Frames to keep need their latents and a mask beside the noise (36 channels)"
            )
        if config.get("image_dim") and "image_encoder" not in checkpoint.components:
            raise VideoCheckpointError(f"{checkpoint.folder} has no image_encoder, which its transformer asks for")
        if checkpoint.index.get("boundary_ratio") is not None and "transformer_2" not in checkpoint.components:
            raise VideoCheckpointError(
                f"{checkpoint.folder} has no transformer_2, which takes over below boundary_ratio "
                f"{checkpoint.index['boundary_ratio']}"
            )
        sees_both = bool(config.get("pos_embed_seq_len"))
        note = "" if sees_both else "Nothing in its configuration says that it was trained with a last frame."
        return Capability(temporal_step(vae), spatial_step(vae, config), 5, sees_both, note)

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """See ``VideoFamily``."""
        return "WanImageToVideoPipeline"

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """See ``VideoFamily``."""
        prepare_wan_schedule(pipeline, request)
        if pipeline.transformer.config.image_dim and not pipeline.transformer.config.pos_embed_seq_len:
            show_encoder_the_first_frame_only(pipeline)

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """See ``VideoFamily``."""
        return len(request.sigmas) or request.steps

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, WanOptions)
        two = pipeline.config.boundary_ratio is not None
        height, width = request.first.shape[:2]
        result = pipeline(
            image=as_pil(request.first),
            last_image=as_pil(request.last),
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            height=height,
            width=width,
            num_frames=request.frames,
            num_inference_steps=self.steps(pipeline, request),
            guidance_scale=request.guidance,
            guidance_scale_2=options.guidance_low_noise if two else None,
            generator=generator,
            output_type="np",
            callback_on_step_end=watch,
        )
        frames = as_images(result.frames[0])
        return GeneratedVideo(frames, len(frames) - 1)

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """See ``VideoFamily``."""
        return decode_wan_latents(pipeline, latents)


def prepare_wan_schedule(pipeline: Any, request: GenerationRequest) -> None:
    """Noise levels as the request has them; a shift counts only without explicit levels."""
    shift = getattr(request.options, "flow_shift", None)
    if request.sigmas:
        set_sigmas(pipeline, request.sigmas)
    elif shift is not None:
        set_flow_shift(pipeline, shift)


def show_encoder_the_first_frame_only(pipeline: Any) -> None:
    """Image-to-video and Fun InP models were trained with the first frame's embedding; only FLF2V has places for two.

    The pipeline would hand over both as a batch of two, which the transformer cannot tell from two videos.
    """
    encode = pipeline.encode_image
    if not hasattr(encode, "first_only"):

        def encode_first(image: Any, device: Any = None) -> Any:
            return encode(image[0] if isinstance(image, list) else image, device)

        encode_first.first_only = True  # type: ignore[attr-defined]
        pipeline.encode_image = encode_first
