"""Clips between two keyframes: the true frames, and what a video model may make up instead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from interpose_ros.geometry.se3 import rotation_exp, rotation_log
from interpose_ros.interpolation.clip import Clip, ClipOrigin, LazyView
from interpose_ros.views import KeyframeId, View
from selection_bench.cases import FRAMES, Case, Image

TRUE_KINDS = ("true", "true_time_warped")
HELD_OUT = ("foreign_stretch", "wrong_sense_warped")
"""Kinds that are no part of development."""

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class MadeClip:
    """A clip and what it is."""

    kind: str
    views: tuple[View, ...]
    clip: Clip

    @property
    def is_true(self) -> bool:
        """Whether its frames are the real ones between the keyframes."""
        return self.kind in TRUE_KINDS


class ListedClips:
    """An interpolator that offers given clips, all of which are at hand."""

    name = "benchmark"

    def __init__(self, clips: Sequence[MadeClip]) -> None:
        self._clips = clips

    def clips(self, view_a: View, view_b: View) -> Iterator[Clip]:
        """The clips, in their order."""
        for number, made in enumerate(self._clips, start=1):
            yield replace(made.clip, next_at_hand=number < len(self._clips))


def clips_of(case: Case, foreign: Sequence[Case], number: int, distractors: int) -> list[MadeClip]:
    """One true clip and one each of so many kinds of distractors, in random order.

    Args:
        case: the pair.
        foreign: cases of other places, of equal image size or not.
        number: of the pair, which seeds everything and picks the kinds so that all are about equally often there.
        distractors: how many kinds.
    """
    rng = np.random.default_rng((11, number))
    other = [c for c in foreign if c.scene != case.scene]
    stranger = other[int(rng.integers(len(other)))]
    true = {TRUE_KINDS[number % 2]: lambda: _time_warped(case, rng) if number % 2 else _true(case)}
    kinds: dict[str, Callable[[], list[Image]]] = {
        "shot_cut": lambda: _shot_cut(case),
        "frozen_a": lambda: _frozen(case.view_a.image, rng),
        "frozen_b": lambda: _frozen(case.view_b.image, rng),
        "other_scene": lambda: _foreign(case, stranger),
        "heavy_blur": lambda: _blurred(_true(case)),
        "morph": lambda: _crossfade(case.view_a.image, case.view_b.image, FRAMES),
        "foreign_stretch": lambda: _with_foreign_stretch(case, stranger),
        "wrong_size_cut": lambda: _pan(case, rng.uniform(0.3, 0.5), FRAMES),
        "wrong_size_warped": lambda: _pan_warped(case, rng.uniform(0.3, 0.5), rng),
        "wrong_sense_warped": lambda: _pan_warped(case, -rng.uniform(0.6, 1.0), rng),
        "repeated_structure": lambda: _along_repetition(case, rng),
    }
    names = list(kinds)
    taken = {names[(number * distractors + k) % len(names)] for k in range(min(distractors, len(names)))}
    chosen = {**true, **{name: make for name, make in kinds.items() if name in taken}}
    made = [_made(case, kind, make(), number) for kind, make in chosen.items()]
    return [made[k] for k in rng.permutation(len(made))]


def _made(case: Case, kind: str, images: Sequence[Image], number: int) -> MadeClip:
    assert len(images) <= FRAMES
    views = tuple(
        View(np.ascontiguousarray(image), case.camera, KeyframeId(f"{case.name}-{kind}", 100 + k))
        for k, image in enumerate(images)
    )
    frames = [LazyView(view.keyframe_id, lambda view=view: view) for view in views]  # type: ignore[misc]
    return MadeClip(kind, views, Clip(frames, ClipOrigin("benchmark", f"{number}-{kind}", generated=True)))


def _at(images: Sequence[Image], shares: Sequence[float]) -> list[Image]:
    """The images nearest to shares of the way from A (0) to B (1)."""
    places = (np.arange(len(images)) + 1) / (len(images) + 1)
    return [images[int(np.argmin(np.abs(places - share)))] for share in shares]


def _even(count: int) -> list[float]:
    return [(k + 1) / (count + 1) for k in range(count)]


def _true(case: Case) -> list[Image]:
    if len(case.between) <= FRAMES:
        return list(case.between)
    return _at(case.between, _even(FRAMES))


def _time_warped(case: Case, rng: Rng) -> list[Image]:
    """The true frames, now faster and now slower, with a pause; no step is longer than twice the even one."""
    if len(case.between) <= FRAMES:
        pause = int(rng.integers(len(case.between)))
        images = list(case.between)
        return (images[: pause + 1] + images[pause:])[:FRAMES] if len(images) < FRAMES else images
    steps = rng.uniform(0.4, 1.6, FRAMES + 1)
    return _at(case.between, list(np.cumsum(steps)[:-1] / steps.sum()))


def _shot_cut(case: Case) -> list[Image]:
    if case.part == "desk":
        return [case.view_a.image, case.between[0], case.between[-1], case.view_b.image]
    return _at(case.between, [0.04, 0.07, 0.1, 0.13, 0.87, 0.92, 0.96])


def _frozen(image: Image, rng: Rng) -> list[Image]:
    return [np.clip(image + rng.normal(scale=2.0, size=image.shape), 0, 255).astype(np.uint8) for _ in range(FRAMES)]


def _fitted(case: Case, image: Image) -> Image:
    return np.asarray(cv2.resize(image, (case.camera.width, case.camera.height), interpolation=cv2.INTER_AREA))


def _foreign(case: Case, stranger: Case) -> list[Image]:
    return [_fitted(case, image) for image in _true(stranger)]


def _blurred(images: Sequence[Image]) -> list[Image]:
    sigma = 0.02 * images[0].shape[1]
    return [np.asarray(cv2.GaussianBlur(image, (0, 0), sigma)) for image in images]


def _crossfade(first: Image, second: Image, count: int) -> list[Image]:
    return [np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0.0)) for share in _even(count)]


def _with_foreign_stretch(case: Case, stranger: Case) -> list[Image]:
    images, foreign = _true(case), _foreign(case, stranger)
    start = len(images) // 2 - 1
    return [*images[:start], *foreign[start : start + 3], *images[start + 3 :]]


def _pan(case: Case, size: float, count: int) -> list[Image]:
    """A pan from A by that multiple of the true rotation; it ends there, and B follows by a cut."""
    turn = rotation_log(case.R_b_a)
    return [case.turned(rotation_exp(turn * size * (k + 1) / count)) for k in range(count)]


def _pan_warped(case: Case, size: float, rng: Rng) -> list[Image]:
    """The same, but its end melts into B while both images slide."""
    panned = _pan(case, size, FRAMES - 3)
    last, b = panned[-1], case.view_b.image
    slide = float(rng.uniform(0.05, 0.15)) * case.camera.width * (1 if rng.random() < 0.5 else -1)
    melted = []
    for share in _even(3):
        layers = (_shifted(last, share * slide), _shifted(b, (share - 1) * slide))
        melted.append(np.asarray(cv2.addWeighted(layers[0], 1 - share, layers[1], share, 0.0)))
    return [*panned, *melted]


def _shifted(image: Image, columns: float) -> Image:
    shift = np.array([[1.0, 0.0, columns], [0.0, 1.0, 0.0]])
    return np.asarray(cv2.warpAffine(image, shift, (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REFLECT_101))


def _along_repetition(case: Case, rng: Rng) -> list[Image]:
    """A pan along a strip that comes back again and again, so that it arrives at B by a longer way.

    In a panorama a strip of the world halfway between A and B is repeated. At the desk the image of A comes back like
    wallpaper, and melts into B.
    """
    if case.panorama is None:
        return _pan_warped(case, float(rng.uniform(1.2, 1.6)), rng)
    panorama, R_w_a = case.panorama
    R_w_b = R_w_a @ case.R_b_a.T
    yaw_a, yaw_b = (float(np.arctan2(R[0, 2], R[2, 2])) for R in (R_w_a, R_w_b))
    gap = float(np.angle(np.exp(1j * (yaw_b - yaw_a))))
    sense, strip = float(np.sign(gap)), float(np.deg2rad(rng.uniform(18.0, 25.0)))
    extra, edge = 2 * strip, abs(gap) / 2

    def bend(yaw: np.ndarray) -> np.ndarray:
        along = np.angle(np.exp(1j * (yaw - yaw_a - sense * (abs(gap) + extra) / 2))) * sense + (abs(gap) + extra) / 2
        inside = (along >= edge) & (along < edge + extra)
        shown = np.where(inside, edge - strip + np.mod(along - edge, strip), along - np.where(along >= edge, extra, 0))
        return np.asarray(np.angle(np.exp(1j * (yaw_a + sense * shown))))

    world = panorama.bent(bend)
    longer = rotation_exp(np.array([0.0, sense * extra, 0.0])) @ R_w_b
    turn = rotation_log(longer.T @ R_w_a)
    # The longer way is more than half a turn for no pair, so the logarithm is the way that was meant.
    return [world.view(case.camera, R_w_a @ rotation_exp(turn * share).T) for share in _even(FRAMES)]


def kinds_of(clips: Sequence[MadeClip]) -> list[str]:
    """The kinds of distractors among the clips."""
    return sorted({clip.kind for clip in itertools.chain(clips) if not clip.is_true})
