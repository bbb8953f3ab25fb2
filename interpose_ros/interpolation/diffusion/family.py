"""What every family of video models takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict

from interpose_ros.interpolation.diffusion.checkpoint import VideoCheckpoint
from interpose_ros.interpolation.diffusion.errors import GenerationFailed


class FamilyOptions(BaseModel):
    """Settings that only one family has; a preset's ``options``. Unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Capability:
    """What a checkpoint can do, from its configuration.

    Attributes:
        frame_step: the number of frames is a multiple of this plus one.
        size_step: width and height are multiples of this.
        min_frames: fewest frames with which the last one counts.
        trained_for_last_frame: False where the last frame is taken in, but the configuration does not say that the model
            was trained so.
        note: what else a user should know, in a sentence; empty for nothing.
    """

    frame_step: int
    size_step: int
    min_frames: int = 5
    trained_for_last_frame: bool = True
    note: str = ""


@dataclass(frozen=True)
class GenerationRequest:
    """One clip to make, with everything that decides its content beside the model.

    Attributes:
        first, last: RGB, of the size to generate.
        prompt, negative_prompt: what to show, and what not to.
        frames: number of frames with both ends.
        steps: denoising steps.
        sigmas: noise levels to use in place of ``steps``; empty for the scheduler's own.
        guidance: strength of the prompt; 1 for models that were distilled.
        seed: of the noise.
        options: the family's own settings.
    """

    first: UInt8[np.ndarray, "h w 3"]
    last: UInt8[np.ndarray, "h w 3"]
    prompt: str
    negative_prompt: str
    frames: int
    steps: int
    sigmas: tuple[float, ...]
    guidance: float
    seed: int
    options: FamilyOptions


@dataclass(frozen=True, eq=False)
class GeneratedVideo:
    """What a model made.

    Attributes:
        frames: RGB, in time order; the first shows the first image.
        last_index: number of the frame that should show the last image; None where that image comes right after the end.
    """

    frames: UInt8[np.ndarray, "n h w 3"]
    last_index: int | None


Watch = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]
"""diffusers' ``callback_on_step_end``: pipeline, step, timestep and tensors."""


@runtime_checkable
class VideoFamily(Protocol):
    """One family of models: reads its checkpoints' configuration and asks their pipelines for a clip.

    Attributes:
        name: what it is called here.
        transformers: classes of the networks that tell its checkpoints.
        options: settings that only it has.
        one_dtype: whether its autoencoder must have the other networks' number format.
    """

    @property
    def name(self) -> str: ...
    @property
    def transformers(self) -> tuple[str, ...]: ...
    @property
    def options(self) -> type[FamilyOptions]: ...
    @property
    def one_dtype(self) -> bool: ...

    def capability(self, checkpoint: VideoCheckpoint) -> Capability:
        """What a checkpoint can do.

        Raises:
            VideoCheckpointError: it cannot be given a last frame, or would ignore it; the message says why.
        """
        ...

    def pipeline_class(self, checkpoint: VideoCheckpoint) -> str:
        """Name of the diffusers class that runs it."""
        ...

    def prepare(self, pipeline: Any, request: GenerationRequest) -> None:
        """Set up the scheduler for a request."""
        ...

    def generate(self, pipeline: Any, request: GenerationRequest, generator: Any, watch: Watch) -> GeneratedVideo:
        """Make one clip; ``watch`` is called after each step."""
        ...

    def steps(self, pipeline: Any, request: GenerationRequest) -> int:
        """How often ``watch`` will be called."""
        ...

    def decode(self, pipeline: Any, latents: Any) -> Float[np.ndarray, "n h w 3"] | None:
        """Frames of latents as they are during denoising; None for families whose latents say nothing before the end."""
        ...


def as_images(video: Float[np.ndarray, "n h w 3"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Eight-bit frames of a pipeline's output between 0 and 1.

    Raises:
        GenerationFailed: the network ran into values that are no numbers.
    """
    if not np.all(np.isfinite(video)):
        raise GenerationFailed(
            "the video model gave values that are no numbers: its weights are damaged, or dtype has too small a range "
            "(bfloat16 instead of float16, vae_dtype float32)"
        )
    return np.ascontiguousarray(np.rint(255.0 * np.clip(video, 0.0, 1.0)).astype(np.uint8))
