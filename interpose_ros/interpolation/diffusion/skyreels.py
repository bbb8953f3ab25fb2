"""SkyReels V2: image-to-video as Wan does it, and diffusion forcing with the last image as a clean latent after the end."""

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
from interpose_ros.interpolation.diffusion.wan import show_encoder_the_first_frame_only
from interpose_ros.interpolation.diffusion.wan_latents import decode_wan_latents, spatial_step, temporal_step

_FORCING = "SkyReelsV2DiffusionForcing"


class SkyreelsOptions(FamilyOptions):
    """Settings of SkyReels V2."""

    flow_shift: float | None = Field(None, gt=0.0, description="Shift of the noise levels; None for the checkpoint's.")
    frame_rate: int = Field(24, ge=1, le=60, description="Diffusion forcing: frames per second that the model is told.")


class SkyreelsFamily:
    """SkyReels V2, both kinds."""

    name = "skyreels"
    transformers = ("SkyReelsV2Transformer3DModel",)
    options: type[FamilyOptions] = SkyreelsOptions
    one_dtype = False

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """See ``VideoFamily``."""
        config, vae = checkpoint.config("transformer"), checkpoint.config("vae")
        step, size = temporal_step(vae), spatial_step(vae, config)
        if checkpoint.pipeline.startswith(_FORCING):
            return Capability(step, size, 2 * step + 1, note="Image B comes right after the last frame.")
        noise = int(vae.get("z_dim") or 16)
        if int(config.get("in_channels") or 0) - noise <= noise:
            raise VideoCheckpointError(
                f"{checkpoint.folder} ({checkpoint.pipeline}) makes videos of text alone; SkyReels V2 takes a last frame in "
                "its image-to-video (36 channels) and diffusion-forcing checkpoints"
            )
        if "image_encoder" not in checkpoint.components:
            raise VideoCheckpointError(f"{checkpoint.folder} has no image_encoder, which its transformer asks for")
        trained = bool(config.get("pos_embed_seq_len"))
        note = "" if trained else "Nothing in its configuration says that it was trained with a last frame."
        return Capability(step, size, step + 1, trained, note)

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """See ``VideoFamily``."""
        forcing = checkpoint.pipeline.startswith(_FORCING)
        return f"{_FORCING}ImageToVideoPipeline" if forcing else "SkyReelsV2ImageToVideoPipeline"

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, SkyreelsOptions)
        if request.sigmas:
            set_sigmas(pipeline, request.sigmas)
        elif options.flow_shift is not None:
            set_flow_shift(pipeline, options.flow_shift)
        if not _is_forcing(pipeline) and not pipeline.transformer.config.pos_embed_seq_len:
            show_encoder_the_first_frame_only(pipeline)

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """See ``VideoFamily``."""
        return len(request.sigmas) or request.steps

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """See ``VideoFamily``."""
        options = request.options
        assert isinstance(options, SkyreelsOptions)
        height, width = request.first.shape[:2]
        forcing = _is_forcing(pipeline)
        more = {"fps": options.frame_rate, "base_num_frames": request.frames} if forcing else {}
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
            generator=generator,
            output_type="np",
            callback_on_step_end=watch,
            **more,
        )
        frames = as_images(result.frames[0])
        return GeneratedVideo(frames, None if forcing else len(frames) - 1)

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """See ``VideoFamily``. Diffusion forcing has a noise level per frame and none for the clip."""
        return None if _is_forcing(pipeline) else decode_wan_latents(pipeline, latents)


def _is_forcing(pipeline: Any) -> bool:
    return type(pipeline).__name__.startswith(_FORCING)
