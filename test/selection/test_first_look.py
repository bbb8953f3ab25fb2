"""What clips look like at a glance, on views that pan along a made-up strip, and in which order they are then judged."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import Clip, ClipOrigin, LazyView
from interpose_ros.selection.clip_queue import clips_in_turn
from interpose_ros.selection.first_look import by_promise, first_look
from interpose_ros.views import KeyframeId, View

CAMERA = Camera(np.array([[120.0, 0, 79.5], [0, 120.0, 59.5], [0, 0, 1.0]]), 160, 120)


def strip(seed: int) -> np.ndarray:
    """A long picture of blobs, which a camera pans along."""
    noise = np.random.default_rng(seed).integers(0, 256, (30, 200, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (800, 120), interpolation=cv2.INTER_CUBIC))


STRIP, OTHER = strip(0), strip(1)


def seen(at: float, world: np.ndarray = STRIP) -> np.ndarray:
    return np.ascontiguousarray(world[:, round(at) : round(at) + 160])


def view(image: np.ndarray, stamp: int) -> View:
    return View(image, CAMERA, KeyframeId("camera", stamp))


A, B = view(seen(0), 0), view(seen(200), 100)
PAN = [seen(25 * k) for k in range(1, 8)]


def clip(images: list[np.ndarray], name: str = "", generated: bool = True, **fields: bool) -> Clip:
    views = [view(image, k) for k, image in enumerate(images, start=1)]
    frames = [LazyView(v.keyframe_id, lambda v=v: v) for v in views]
    return Clip(frames, ClipOrigin("made_up", name, generated=generated), **fields)


def melted(first: np.ndarray, last: np.ndarray, count: int) -> list[np.ndarray]:
    return [cv2.addWeighted(first, 1 - k / (count + 1), last, k / (count + 1), 0) for k in range(1, count + 1)]


def noisy(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(2).normal(scale=2.0, size=image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_a_pan_promises_everything():
    look = first_look(clip(PAN), A, B)
    assert look.promise == 1.0
    assert look.followed > 0.95
    assert look.jump == pytest.approx(1.0, abs=0.3)
    assert look.sharpness > 0.8


def test_an_uneven_pan_does_too():
    assert first_look(clip([seen(at) for at in (10, 45, 55, 95, 125, 165, 180)]), A, B).promise > 0.9


@pytest.mark.parametrize(
    ("images", "weakness", "below"),
    [
        pytest.param([seen(25), seen(50), *[seen(50 + 5 * k) for k in range(1, 6)]], "followed", 0.7, id="cut"),
        pytest.param([seen(25 * k, OTHER) for k in range(1, 8)], "followed", 0.7, id="another place"),
        pytest.param(melted(seen(0), seen(200), 7), "melt", 0.05, id="crossfade"),
        pytest.param([*PAN[:4], *melted(PAN[3], seen(200), 3)], "melt_in_places", 0.2, id="melts at its end"),
        pytest.param([cv2.GaussianBlur(image, (0, 0), 6.0) for image in PAN], "sharpness", 0.2, id="blur"),
    ],
)
def test_what_does_not_lead_there_promises_less(images, weakness, below):
    look = first_look(clip(images), A, B)
    assert getattr(look, weakness) < below
    assert look.promise < 0.5


def test_a_clip_that_stands_still_must_jump():
    look = first_look(clip([noisy(A.image)] * 7), A, B)
    assert look.jump > 12.0
    assert look.promise == 0.0


def test_other_cameras_frames_are_looked_at_by_themselves():
    half = [np.ascontiguousarray(image[::2, ::2]) for image in PAN]
    camera = Camera(np.array([[60.0, 0, 39.5], [0, 60.0, 29.5], [0, 0, 1.0]]), 80, 60)
    frames = [
        LazyView(KeyframeId("model", k), lambda image=image, k=k: View(image, camera, KeyframeId("model", k)))
        for k, image in enumerate(half)
    ]
    assert first_look(Clip(frames, ClipOrigin("made_up", "", generated=True)), A, B).promise > 0.9
    short = Clip(frames[:1], ClipOrigin("made_up", "", generated=True))
    assert 0.0 <= first_look(short, A, B).promise <= 1.0


def test_the_most_promising_come_first_and_equals_stay_in_order():
    fade = clip(melted(A.image, B.image, 7), "fade")
    ranked = by_promise([fade, clip(PAN, "first"), clip(PAN, "second")], A, B)
    assert [c.origin.clip_id for c, _ in ranked] == ["first", "second", "fade"]
    # What a camera saw is not looked at.
    recorded = Clip([LazyView(KeyframeId("camera", 1), lambda: pytest.fail("decoded"))] * 3)
    assert by_promise([recorded], A, B)[0][1] == 1.0
    assert by_promise([clip([])], A, B)[0][1] == 0.0


class Offered:
    """An interpolator that counts how many of its clips were taken."""

    name = "made_up"

    def __init__(self, *clips: Clip) -> None:
        self.offered, self.taken = clips, 0

    def clips(self, view_a: View, view_b: View):
        for offered in self.offered:
            self.taken += 1
            yield offered


def test_clips_at_hand_are_ranked_and_others_are_not_made_early():
    fade = melted(A.image, B.image, 7)
    offered = Offered(clip(fade, "fade", next_at_hand=True), clip(PAN, "pan"), clip(fade, "later"), clip(PAN, "last"))
    turns = clips_in_turn([offered], A, B, lambda: True)
    assert next(turns)[0].origin.clip_id == "pan"
    assert offered.taken == 2
    late, promise = next(turns)
    assert (late.origin.clip_id, promise) == ("fade", 0.0)
    assert offered.taken == 2
    # Nothing was at hand beside this one, so it is as promising as any.
    later, promise = next(turns)
    assert (later.origin.clip_id, promise) == ("later", 1.0)


def test_nothing_is_made_once_it_may_not_go_on():
    offered = Offered(clip(PAN, "pan"), clip(PAN, "last"))
    left = [True, True, False]
    assert len(list(clips_in_turn([offered], A, B, lambda: left.pop(0)))) == 1
    assert offered.taken == 1
