"""What ends an estimate early, and what is told while it runs. Matches are made up, so nothing here takes long."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_second_opinion import STRONG, WEAK, MadeUpStore, views

from interpose_ros.config import InterposeConfig
from interpose_ros.interpolation.clip import Clip, ClipOrigin, LazyView
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.selection.budget import Budget
from interpose_ros.views import KeyframeId, View


class NoBridge:
    """An estimator that never finds a bridge, and counts how often it is asked."""

    name = "features"

    def __init__(self) -> None:
        self.asked = 0

    def estimate(self, views) -> Refusal:
        self.asked += 1
        return Refusal(RefusalReason.NO_OVERLAP, "verified matches do not connect A and B")


class Clips:
    """Offers so many clips of one frame each, and counts how many were taken."""

    name = "made_up"

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, 0

    def clips(self, view_a: View, view_b: View):
        for number in range(self.count):
            self.taken += 1
            yield Clip([LazyView(KeyframeId("camera", 5), lambda: view_a)], ClipOrigin("made_up", f"{number}"))


def pipeline(pair) -> tuple[InterposePipeline, NoBridge]:
    estimator = NoBridge()
    return InterposePipeline(InterposeConfig(), MadeUpStore(pair), clip_estimator=estimator), estimator


def test_no_clip_is_made_where_the_keyframes_are_trusted():
    clips, told = Clips(3), []
    answer = pipeline(STRONG)[0].estimate(*views(), [clips], best=told.append)
    assert answer.selected is not None
    assert clips.taken == 0
    assert told == [answer]


def test_the_clip_budget_ends_the_work_with_an_answer():
    clips = Clips(5)
    made, estimator = pipeline(WEAK)
    answer = made.estimate(*views(), [clips], budget=Budget(clips=2))
    assert estimator.asked == 2
    assert answer.refusal is not None
    assert answer.refusal.reason is RefusalReason.NO_OVERLAP
    assert answer.best_so_far is None


def test_no_clips_are_allowed():
    made, estimator = pipeline(WEAK)
    answer = made.estimate(*views(), [Clips(5)], budget=Budget(clips=0))
    assert estimator.asked == 0
    assert answer.refusal is not None


@pytest.mark.parametrize("budget", [Budget(deadline=time.monotonic()), Budget(seconds=1e-9)])
def test_time_that_is_up_is_a_cancellation_with_the_best_so_far(budget):
    made, estimator = pipeline(WEAK)
    answer = made.estimate(*views(), [Clips(5)], budget=budget)
    assert estimator.asked == 0
    assert answer.refusal is not None
    assert answer.refusal.reason is RefusalReason.CANCELLED
    assert "time" in answer.refusal.text
    assert answer.best_so_far is not None
    assert answer.best_so_far.refusal.reason is RefusalReason.LOW_CONFIDENCE


def test_time_that_is_up_changes_nothing_where_nothing_more_was_to_do():
    answer = pipeline(STRONG)[0].estimate(*views(), [Clips(5)], budget=Budget(seconds=1e-9))
    assert answer.selected is not None


def test_cancelling_after_two_clips():
    made, estimator = pipeline(WEAK)
    answer = made.estimate(*views(), [Clips(5)], cancelled=lambda: estimator.asked >= 2)
    assert estimator.asked == 2
    assert answer.refusal is not None
    assert answer.refusal.reason is RefusalReason.CANCELLED
    assert len(answer.candidates) == 3


def test_progress_never_falls_and_ends_at_one():
    seen: list[tuple[str, float]] = []
    pipeline(WEAK)[0].estimate(*views(), [Clips(6)], progress=lambda stage, fraction: seen.append((stage, fraction)))
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {stage for stage, _ in seen} == {"overlap", "clips", "clip_poses", "selection"}
