"""What happens between two denoising steps: progress, cancelling, and a look at what the clip will be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import UInt8

from interpose_ros.interpolation.diffusion.errors import GenerationCancelled
from interpose_ros.interpolation.diffusion.family import as_images

EarlyJudge = Callable[[UInt8[np.ndarray, "n h w 3"]], bool]
"""Told the frames that a clip is becoming; False stops it."""


class StepWatch:
    """Called by a pipeline after each step.

    Args:
        total: steps in all.
        progress: told steps done and steps in all.
        cancelled: asked after each step.
    """

    def __init__(self, total: int, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> None:
        self.total, self.done = total, 0
        self._progress, self._cancelled = progress, cancelled
        self._look: Callable[[], bool] | None = None
        self._look_at = 0

    def look(self, after_step: int, judge: Callable[[], bool]) -> None:
        """Ask once, after so many steps, whether to go on."""
        self._look_at, self._look = after_step, judge

    def __call__(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """One step is done.

        Raises:
            GenerationCancelled: somebody asked to stop, or what was seen is not worth going on for.
        """
        self.done += 1
        self._progress(self.done, self.total)
        if self._cancelled():
            raise GenerationCancelled(f"cancelled after {self.done} of {self.total} steps")
        if self._look is not None and self.done == self._look_at and not self._look():
            raise AbandonedEarly(
                f"given up after {self.done} of {self.total} steps: it does not lead from image to image"
            )
        return tensors


class AbandonedEarly(GenerationCancelled):
    """A clip was given up because of what it was becoming."""


@contextmanager
def predicted_clean_latents(pipeline: Any) -> Iterator[Callable[[], Any]]:
    """Gives the clean latents that the last step predicted; for pipelines whose networks predict a flow.

    With flow matching, noisy latents are ``(1 - sigma) clean + sigma noise``, the network predicts ``noise - clean``, and
    times are ``1000 sigma``; so ``clean = noisy - sigma * prediction``, whatever the scheduler makes of it.
    """
    scheduler = pipeline.scheduler
    step = scheduler.step
    scale = float(scheduler.config.get("num_train_timesteps", 1000))
    found: list[Any] = [None]

    def recording_step(model_output: Any, timestep: Any, sample: Any, *others: Any, **named: Any) -> Any:
        sigma = float(timestep) / scale
        found[0] = sample.float() - sigma * model_output.float()
        return step(model_output, timestep, sample, *others, **named)

    scheduler.step = recording_step
    try:
        yield lambda: found[0]
    finally:
        del scheduler.step


def early_judge(family: Any, pipeline: Any, latents: Callable[[], Any], judge: EarlyJudge) -> Callable[[], bool]:
    """Decodes what a clip is becoming and asks; goes on where the family cannot decode before the end."""

    def ask() -> bool:
        video = family.decode(pipeline, latents())
        return True if video is None else judge(as_images(video))

    return ask
