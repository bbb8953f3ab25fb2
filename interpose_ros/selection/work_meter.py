"""What an estimate spends on clips, beside what was to be expected of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from interpose_ros.answer import Work
from interpose_ros.interpolation.clip import Clip, Interpolator
from interpose_ros.matching.store import MatchStore
from interpose_ros.selection.budget import Budget
from interpose_ros.selection.clip_judge import ClipJudge

LIKELY_CLIPS = 2.0
"""Clips that an answer usually takes where they come one by one: the first that bridges settles it, if it is trusted."""

MATCHES_PER_STEP = 4.0
"""Matches per frame of a path: with its next neighbours, and with the keyframes where it should see them."""


class WorkMeter:
    """Measures from where it is made."""

    def __init__(
        self, store: MatchStore, judge: ClipJudge, budget: Budget, interpolators: Sequence[Interpolator]
    ) -> None:
        self._store, self._judge = store, judge
        self._matched, self._posed = store.matched, judge.poses
        self._clips = 0
        self._expected_clips = min(budget.clips, LIKELY_CLIPS) if interpolators else 0.0
        self._expected_matches = 0.0

    @property
    def clips(self) -> int:
        """Clips judged so far."""
        return self._clips

    def judged(self, clip: Clip) -> None:
        """A clip has been judged."""
        self._clips += 1
        # Halving finds the path; a clip without one ends there.
        self._expected_matches += 2.0 * math.ceil(math.log2(len(clip) + 2)) + MATCHES_PER_STEP * min(len(clip), 8)

    def work(self) -> Work:
        """Spent so far, and expected."""
        return Work(
            clips=self._clips,
            matches=self._store.matched - self._matched,
            poses=self._judge.poses - self._posed,
            expected_clips=float(self._expected_clips),
            expected_matches=self._expected_matches,
        )
