"""The interpolators that are configured, in the order in which they are asked: frames that a camera saw, then video."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from interpose_ros.config import InterposeConfig
from interpose_ros.interpolation.clip import Interpolator
from interpose_ros.interpolation.video_config import VideoConfig
from interpose_ros.matching.store import MatchStore


def interpolators_from_config(
    config: InterposeConfig, store: MatchStore, recorded: Sequence[Interpolator] = ()
) -> list[Interpolator]:
    """Recorded frames first, which are true and cost nothing, then generated clips where a preset is configured.

    Made once and kept: the video model is loaded with its first clip and stays. For progress and cancelling, give each
    request its own view of it by ``VideoInterpolator.observed``.

    Args:
        config: ``config.video`` says whether and how.
        store: matches frames; the pipeline's own, so that nothing is matched twice.
        recorded: interpolators of real frames.

    Raises:
        FileNotFoundError: the video model is not on disk; the message says how to get it.
        ValueError: there is no such preset, or its files cannot be used.
    """
    interpolators = list(recorded)
    if config.video.preset:
        interpolators.append(_video(config.video, store))
    return interpolators


def _video(config: VideoConfig, store: MatchStore) -> Interpolator:
    from interpose_ros.interpolation.captions import captions_of_pair
    from interpose_ros.interpolation.diffusion.model import VideoModel
    from interpose_ros.interpolation.generated import VideoInterpolator

    captions = partial(captions_of_pair, config=config.captions) if config.captions.base_url else None
    return VideoInterpolator(VideoModel.from_config(config), store, config, captions)
