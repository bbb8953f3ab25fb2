"""Noise levels: a family's shift, or an explicit list as distilled models need it."""

from __future__ import annotations

from typing import Any


def set_flow_shift(pipeline: Any, shift: float) -> None:
    """Shift of the noise levels towards the noisy end: larger for larger videos.

    Both kinds of scheduler that flow-matching models come with have it, under different names.
    """
    key = "flow_shift" if "flow_shift" in pipeline.scheduler.config else "shift"
    if pipeline.scheduler.config.get(key) != shift:
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **{key: shift})


def set_sigmas(pipeline: Any, sigmas: tuple[float, ...]) -> None:
    """Let denoising go through exactly these noise levels and then to 0, one Euler step each.

    For pipelines whose call takes no ``sigmas``. Models distilled to few steps were trained at these levels only, and a
    scheduler's own spacing, or a shift on top, quietly costs quality.
    """
    import numpy as np
    from diffusers import FlowMatchEulerDiscreteScheduler

    class FixedSigmas(FlowMatchEulerDiscreteScheduler):
        def set_timesteps(self, num_inference_steps: Any = None, device: Any = None, **others: Any) -> None:
            """Always the same levels, however many steps are asked for."""
            super().set_timesteps(sigmas=np.array(sigmas, dtype=np.float32), device=device)  # type: ignore[misc]

    trained = int(pipeline.scheduler.config.get("num_train_timesteps", 1000))
    pipeline.scheduler = FixedSigmas(num_train_timesteps=trained, shift=1.0)
