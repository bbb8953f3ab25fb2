"""One video model: what its folder says at once, its networks when the first clip is asked for."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydantic import ValidationError

from interpose_ros.interpolation.diffusion.checkpoint import VideoCheckpoint, read_checkpoint
from interpose_ros.interpolation.diffusion.errors import GenerationCancelled, GenerationFailed
from interpose_ros.interpolation.diffusion.families import family_of
from interpose_ros.interpolation.diffusion.family import GeneratedVideo, GenerationRequest
from interpose_ros.interpolation.diffusion.loading import load_pipeline
from interpose_ros.interpolation.diffusion.memory import check_memory
from interpose_ros.interpolation.diffusion.preset import MAX_PIXELS, VideoPreset, find_preset, shipped_presets
from interpose_ros.interpolation.diffusion.watch import EarlyJudge, StepWatch, early_judge, predicted_clean_latents
from interpose_ros.interpolation.video_config import VideoConfig, VideoRuntimeConfig

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipRequest:
    """What differs from clip to clip.

    Attributes:
        first, last: RGB, of the model's size.
        prompt: of the scene.
        seed: of the noise.
    """

    first: UInt8[np.ndarray, "h w 3"]
    last: UInt8[np.ndarray, "h w 3"]
    prompt: str
    seed: int


class VideoModel:
    """A preset with its files and settings; makes clips."""

    def __init__(self, preset: VideoPreset, folder: Path, runtime: VideoRuntimeConfig, frames: int = 0, steps: int = 0):
        """Checks everything that can be checked without loading. ``frames`` and ``steps`` replace the preset's where not 0.

        Raises:
            FileNotFoundError: the files are not there; the message says how to get them.
            VideoCheckpointError: they are not complete, or cannot be given a last frame.
            ValueError: size, frames or options do not fit the model.
        """
        if not folder.is_dir():
            raise FileNotFoundError(
                f"the video model {preset.name} ({preset.licence}) is not in {folder}; "
                f"`interpose models pull {preset.name}` fetches it, or give its folder (video.folder, --video-folder)"
            )
        self.preset, self.folder, self.runtime = preset, folder, runtime
        self.checkpoint: VideoCheckpoint = read_checkpoint(folder)
        self.family = family_of(self.checkpoint)
        self.capability = self.family.capability(self.checkpoint)
        try:
            self.options = self.family.options.model_validate(dict(preset.generation.options))
        except ValidationError as error:
            raise ValueError(
                f"the preset {preset.name} has options that {self.family.name} has not: {error}"
            ) from error
        self.frames = frames or preset.generation.frames
        self.steps = steps or preset.generation.steps
        self.sigmas = preset.generation.sigmas
        self.size = (preset.generation.width, preset.generation.height)
        fixed = len(self.sigmas) or len(getattr(self.options, "timesteps", ()))
        if fixed and self.steps != fixed:
            raise ValueError(
                f"{self.steps} steps were asked of {preset.name}, which was trained at {fixed} noise levels and is "
                "made with these only"
            )
        self._check_size()
        self._pipeline: Any = None

    @classmethod
    def from_config(cls, config: VideoConfig) -> VideoModel:
        """The model that is configured; see ``__init__`` for what is raised."""
        preset = find_preset(config.preset)
        folder = Path(config.folder).expanduser() if config.folder else preset.folder
        return cls(preset, folder, config.runtime, config.frames, config.steps)

    @property
    def dtype(self) -> str:
        """Number format of the networks."""
        return self.preset.dtype if self.runtime.dtype == "preset" else self.runtime.dtype

    @property
    def vae_dtype(self) -> str:
        """Number format of the video autoencoder."""
        return self.dtype if self.family.one_dtype else self.preset.vae_dtype

    @property
    def is_loaded(self) -> bool:
        """Whether its networks are in memory."""
        return self._pipeline is not None

    @cached_property
    def settings(self) -> dict[str, str]:
        """Everything but images, prompt and seed that decides what a clip looks like."""
        made = self.preset.generation
        return {
            "model": self.preset.sources[0].repository,
            "revision": self.preset.sources[0].revision,
            "weights": self.checkpoint.content_id,
            "pipeline": self.family.pipeline_class(self.checkpoint),
            "loras": " ".join(f"{lora.local_name}*{lora.scale:g}" for lora in self.preset.loras),
            "size": f"{self.size[0]}x{self.size[1]}x{self.frames}",
            "steps": str(self.steps),
            "sigmas": " ".join(f"{level:g}" for level in self.sigmas),
            "guidance": f"{made.guidance:g}",
            "negative_prompt": made.negative_prompt,
            "options": self.options.model_dump_json(),
            "dtype": f"{self.dtype} {self.vae_dtype} {self.runtime.quantisation}",
            "shortcuts": f"{self.runtime.step_cache} {self.runtime.step_cache_threshold:g} tiles {self.runtime.vae_tiling}",
        }

    def load(self) -> None:
        """Bring the networks to their device; does nothing where they are there.

        Raises:
            VideoMemoryError: they do not fit; said before anything is loaded.
            VideoCheckpointError: the files are not of this kind of model, or packages are missing.
        """
        if self._pipeline is not None:
            return
        smaller = {
            name: preset.memory_gigabytes
            for name, preset in shipped_presets().items()
            if preset.memory_gigabytes < self.preset.memory_gigabytes
        }
        check_memory(
            self.checkpoint,
            self.dtype,
            self.vae_dtype,
            self.runtime.offload,
            self.runtime.quantisation,
            1e9 * self.preset.working_gigabytes,
            self.runtime.device,
            smaller,
        )
        if self.capability.note:
            _log.info("%s: %s", self.preset.name, self.capability.note)
        self._pipeline = load_pipeline(
            self.checkpoint,
            self.family.pipeline_class(self.checkpoint),
            self.dtype,
            self.vae_dtype,
            self.runtime,
            self.preset.loras,
        )

    def unload(self) -> None:
        """Give the networks' memory back."""
        self._pipeline = None

    def generate(
        self,
        clip: ClipRequest,
        progress: Callable[[int, int], None] = lambda done, total: None,
        cancelled: Callable[[], bool] = lambda: False,
        judge: EarlyJudge | None = None,
    ) -> GeneratedVideo:
        """Make one clip. The same request gives the same frames on the same device.

        Args:
            clip: images, prompt and seed.
            progress: told steps done and steps in all.
            cancelled: asked after each step.
            judge: with ``runtime.early_look``, told what the clip is becoming; False gives it up.

        Raises:
            GenerationCancelled: somebody asked to stop.
            GenerationFailed: no memory while computing, or values that are no numbers.
            VideoCheckpointError, VideoMemoryError: see ``load``.
        """
        import torch

        if clip.first.shape[1::-1] != self.size or clip.last.shape != clip.first.shape:
            raise ValueError(f"images of {clip.first.shape[1::-1]} were given; the preset makes {self.size}")
        self.load()
        pipeline, made = self._pipeline, self.preset.generation
        request = GenerationRequest(
            clip.first, clip.last, clip.prompt, made.negative_prompt, self.frames, self.steps, self.sigmas, made.guidance,
            clip.seed, self.options,
        )  # fmt: skip
        self.family.prepare(pipeline, request)
        generator = torch.Generator("cpu").manual_seed(clip.seed)
        watch = StepWatch(self.family.steps(pipeline, request), progress, cancelled)
        try:
            with torch.inference_mode():
                if judge is None or self.runtime.early_look <= 0.0:
                    return self.family.generate(pipeline, request, generator, watch)
                with predicted_clean_latents(pipeline) as latents:
                    after = max(1, math.ceil(self.runtime.early_look * watch.total))
                    watch.look(after, early_judge(self.family, pipeline, latents, judge))
                    return self.family.generate(pipeline, request, generator, watch)
        except GenerationCancelled:
            pipeline.maybe_free_model_hooks()
            raise
        except torch.OutOfMemoryError as error:
            raise GenerationFailed(
                f"{self.preset.name} ran out of memory on {self.runtime.device} while computing a clip: set "
                f"video.runtime.offload or video.runtime.vae_tiling, or video.frames below {self.frames} ({error})"
            ) from error

    def _check_size(self) -> None:
        can, (width, height) = self.capability, self.size
        if width % can.size_step or height % can.size_step:
            raise ValueError(
                f"the preset {self.preset.name} makes {width}x{height}; the sides of this model are multiples of "
                f"{can.size_step}"
            )
        if self.frames < can.min_frames or (self.frames - 1) % can.frame_step:
            below = max(can.min_frames, (self.frames - 1) // can.frame_step * can.frame_step + 1)
            raise ValueError(
                f"{self.frames} frames were asked of {self.preset.name}; this model makes a multiple of {can.frame_step} "
                f"plus one, at least {can.min_frames}: {below} or {below + can.frame_step}"
            )
        if width * height * self.frames > MAX_PIXELS:
            raise ValueError(f"{self.frames} frames of {width}x{height} are more than one clip may have")
