"""The figures that the recorded drive has to reach, with and without frames in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interpose_ros.evaluation.pairs import PairRecord


@dataclass(frozen=True)
class Figure:
    """One requirement and what was reached.

    Attributes:
        name: what is counted.
        value: what was reached; None where there was nothing to count, which does not hold either.
        limit: what is required.
        at_least: whether the value may not be below the limit (else: not above it).
        unit: of both.
    """

    name: str
    value: float | None
    limit: float
    at_least: bool
    unit: str

    @property
    def holds(self) -> bool:
        """Whether the requirement is met."""
        if self.value is None:
            return False
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self) -> dict[str, object]:
        """The figure as plain JSON values."""
        return {
            "name": self.name,
            "value": self.value,
            "required": f"{'at least' if self.at_least else 'at most'} {self.limit:g} {self.unit}".strip(),
            "holds": self.holds,
        }


def figures_with_frames(records: Sequence[PairRecord]) -> list[Figure]:
    """What real frames in between must give. A refusal is a miss."""
    wide = _between(records, 45, 180)
    return [
        Figure(
            "median rotation error below 15 degrees", _median_error(_between(records, 0, 15)), 0.3, False, "degrees"
        ),
        Figure(
            "median rotation error, 15 to 30 degrees", _median_error(_between(records, 15, 30)), 0.7, False, "degrees"
        ),
        Figure("pairs of 45 degrees and more", float(len(wide)), 40.0, True, "pairs"),
        Figure(
            "of those published and within 5 degrees of rotation and 10 of translation direction",
            _percent([record.right for record in wide]),
            90.0,
            True,
            "%",
        ),
    ]


def figures_without_frames(records: Sequence[PairRecord]) -> list[Figure]:
    """What must hold when all frames in between are withheld: nothing wrong goes out, and what is easy does."""
    far_off = [r for r in records if r.published and r.rotation_error_deg is not None and r.rotation_error_deg > 15]
    middle = [
        r
        for r in _between(records, 30, 45)
        if r.pair_only_rotation_error_deg is not None and r.pair_only_rotation_error_deg <= 5
    ]
    return [
        Figure("published more than 15 degrees off", float(len(far_off)) if records else None, 0.0, False, "pairs"),
        Figure(
            "published below 30 degrees", _percent([r.published for r in _between(records, 0, 30)]), 95.0, True, "%"
        ),
        Figure(
            "published of the pairs of 30 to 45 degrees whose pair-only pose is within 5",
            _percent([r.published for r in middle]),
            80.0,
            True,
            "%",
        ),
    ]


def _between(records: Sequence[PairRecord], low: int, high: int) -> list[PairRecord]:
    return [r for r in records if r.true_rotation_deg is not None and low <= r.true_rotation_deg < high]


def _median_error(records: Sequence[PairRecord]) -> float | None:
    """A refusal is an error without bound: it takes part in the median."""
    errors = [r.rotation_error_deg if r.published and r.rotation_error_deg is not None else np.inf for r in records]
    median = float(np.median(errors)) if errors else np.inf
    return median if np.isfinite(median) else None


def _percent(flags: Sequence[bool]) -> float | None:
    return 100.0 * sum(flags) / len(flags) if flags else None
