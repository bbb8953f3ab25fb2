"""Settings of generated clips. Off unless a preset is named."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from interpose_ros.interpolation.scene_prompt import DEFAULT_PROMPTS, check_prompt


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VideoRuntimeConfig(_Section):
    """How a video model runs. What may change the frames is off by default, but for the number format of its publisher."""

    device: str = Field("cuda", description="Torch device of the video model: cuda, cuda:1, cpu ...")
    dtype: Literal["preset", "bfloat16", "float16", "float32"] = Field(
        "preset", description="Number format of its networks; the autoencoder keeps the preset's."
    )
    offload: Literal["none", "model", "sequential"] = Field(
        "none",
        description="Keep networks in main memory until they are needed: one network at a time, or one layer (slow).",
    )
    quantisation: Literal["none", "float8"] = Field(
        "none", description="float8 stores the transformers' weights in one byte each; frames differ slightly."
    )
    attention: str = Field(
        "",
        description="Attention back end by its name in diffusers, such as _native_cudnn or flash; empty for its default.",
    )
    vae_tiling: bool = Field(False, description="Decode in tiles: less memory, seams may show.")
    compile: bool = Field(False, description="Compile the transformers' blocks: the first clip takes minutes longer.")
    step_cache: Literal["none", "first_block"] = Field(
        "none", description="Reuse what hardly changes between steps: faster, frames differ."
    )
    step_cache_threshold: float = Field(0.05, gt=0.0, le=1.0, description="Change below which it is reused.")
    early_look: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Share of the steps after which a clip is judged by what it is becoming, and given up where it does "
        "not lead from image to image; 0 never.",
    )


class CaptionConfig(_Section):
    """Descriptions of the scene from a vision-language model, as prompts."""

    base_url: str = Field(
        "", description="OpenAI-compatible endpoint, with /v1, which keyframes are then sent to. Empty: none is asked."
    )
    model: str = Field("", description="Name of the model there.")
    api_key_env: str = Field("", description="Environment variable that holds the key; empty for servers without one.")
    timeout: float = Field(20.0, gt=0.0, le=600.0, description="Longest wait for the captions of a pair [s].")
    max_tokens: int = Field(150, ge=16, le=4096, description="Of each caption.")
    max_image_side: int = Field(768, ge=64, description="Images are reduced to this longer side [px].")


class ClipCacheConfig(_Section):
    """Generated clips on disk, so that none is made twice."""

    folder: str = Field(
        "", description="Where clips are kept; empty for interpose_ros/clips in the user's cache folder."
    )
    gigabytes: float = Field(
        5.0, ge=0.0, description="Room for them; those not used for longest go first. 0 keeps none."
    )


class VideoConfig(_Section):
    """Generated clips between keyframes."""

    preset: str = Field(
        "",
        description="Preset of a video model that `interpose models` lists, or path of a YAML file. Empty: no video.",
    )
    folder: str = Field("", description="Folder of the model; empty for where `interpose models pull` puts it.")
    clips: int = Field(4, ge=1, le=64, description="Most clips per pair, forward and backward in turn.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the first two clips; later ones count up.")
    frames: int = Field(0, ge=0, le=1000, description="Frames per clip; 0 for the preset's.")
    steps: int = Field(0, ge=0, le=200, description="Denoising steps; 0 for the preset's.")
    prompts: tuple[str, ...] = Field(
        DEFAULT_PROMPTS,
        description="Descriptions of the scene, used in turn. Never of the camera: that is what is asked.",
    )
    last_frame_inliers: int = Field(
        30, ge=8, description="Fewest verified matches by which a clip's last frame counts as the keyframe it leads to."
    )
    runtime: VideoRuntimeConfig = VideoRuntimeConfig()
    captions: CaptionConfig = CaptionConfig()
    cache: ClipCacheConfig = ClipCacheConfig()

    @field_validator("prompts")
    @classmethod
    def _prompts_describe_the_scene(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if not prompts:
            raise ValueError("at least one prompt is needed")
        return tuple(check_prompt(prompt) for prompt in prompts)
