"""Grouping the hypotheses of all clips and of the keyframes alone: one vote each, and the strongest group that agrees.

Distances use the signed direction, and each term is divided by its predicted error, so that neither rotation nor direction
outweighs the other. The direction counts for less the smaller the parallax is, and that is decided once per pair: sums with
and without a direction do not compare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpose_ros.config import SelectionConfig
from interpose_ros.estimators.protocol import PoseEstimate
from interpose_ros.geometry.distances import direction_distance, rotation_distance

FULL_PARALLAX = math.radians(2.0)
"""Median parallax from which a direction counts fully."""

NO_PARALLAX = math.radians(0.5)
"""Median parallax below which it does not count at all."""


@dataclass(frozen=True, eq=False)
class Vote:
    """One hypothesis.

    Attributes:
        estimate: what it says.
        weight: how far it is trusted, 0 to 1.
    """

    estimate: PoseEstimate
    weight: float


@dataclass(frozen=True, eq=False)
class Mode:
    """Votes that agree.

    Attributes:
        leader: number of the vote with the largest weight.
        members: numbers of the votes, the leader among them.
        strength: sum of their weights.
        spread: weighted mean rotation angle of the members to the leader, in radians; 0 for one vote.
    """

    leader: int
    members: tuple[int, ...]
    strength: float
    spread: float


@dataclass(frozen=True, eq=False)
class Consensus:
    """All modes of a set of votes.

    Attributes:
        modes: the strongest first; none where no vote has weight.
        rival: strength of the strongest mode that lies further from the first than the ambiguity angle; 0 without one.
        rival_angle: rotation angle to it in radians; NaN without one.
        direction_weight: how much directions counted, 0 to 1.
    """

    modes: tuple[Mode, ...]
    rival: float
    rival_angle: float
    direction_weight: float

    def is_ambiguous(self, config: SelectionConfig) -> bool:
        """Whether a mode far from the first is nearly as strong."""
        return bool(self.modes) and self.rival >= config.ambiguous_share * self.modes[0].strength


def find_consensus(votes: Sequence[Vote], config: SelectionConfig) -> Consensus:
    """Group votes into modes: the vote with the largest support leads, those near it follow, and so on with the rest."""
    weights = np.array([vote.weight for vote in votes])
    open_votes = [k for k in range(len(votes)) if weights[k] > 0]
    direction_weight = fade_of_direction(votes)
    if not open_votes:
        return Consensus((), 0.0, math.nan, direction_weight)
    angle, distance = _distances(votes, direction_weight, config)
    near = distance <= config.mode_radius
    modes = []
    while open_votes:
        support = {k: float(weights[[j for j in open_votes if near[k, j]]].sum()) for k in open_votes}
        seed = max(open_votes, key=lambda k: (support[k], weights[k]))
        members = [j for j in open_votes if near[seed, j]]
        leader = max(members, key=lambda j: weights[j])
        spread = float(np.average(angle[leader, members], weights=weights[members]))
        modes.append(Mode(leader, tuple(members), float(weights[members].sum()), spread))
        open_votes = [j for j in open_votes if j not in members]
    modes.sort(key=lambda mode: -mode.strength)
    best = modes[0]
    rivals = [mode for mode in modes[1:] if angle[best.leader, mode.leader] > config.ambiguity_angle]
    if not rivals:
        return Consensus(tuple(modes), 0.0, math.nan, direction_weight)
    return Consensus(tuple(modes), rivals[0].strength, float(angle[best.leader, rivals[0].leader]), direction_weight)


def fade_of_direction(votes: Sequence[Vote]) -> float:
    """How much directions count for this pair, 0 to 1, from the weighted median parallax of the votes that tell it."""
    parallax = [
        (vote.estimate.evidence["parallax"], vote.weight)
        for vote in votes
        if vote.weight > 0 and math.isfinite(vote.estimate.evidence.get("parallax", math.nan))
    ]
    if not parallax:
        return 0.0
    parallax.sort()
    total, passed = sum(weight for _, weight in parallax), 0.0
    median = parallax[-1][0]
    for value, weight in parallax:
        passed += weight
        if passed >= 0.5 * total:
            median = value
            break
    return float(np.clip((median - NO_PARALLAX) / (FULL_PARALLAX - NO_PARALLAX), 0.0, 1.0))


def _distances(
    votes: Sequence[Vote], direction_weight: float, config: SelectionConfig
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n n"]]:
    """Rotation angles between all votes, and distances in predicted errors."""
    rotations = np.stack([vote.estimate.R_b_a for vote in votes])
    angle = rotation_distance(rotations[:, None], rotations[None, :])
    variance = np.array([np.trace(vote.estimate.rotation_covariance) for vote in votes])
    # An unknown error (a huge variance) must not make a vote agree with everything.
    stddev = np.clip(np.sqrt(np.where(np.isfinite(variance), variance, np.inf)), 0.0, config.max_rotation_stddev)
    predicted = np.sqrt(stddev[:, None] ** 2 + stddev[None, :] ** 2 + config.rotation_error_floor**2)
    squared = (angle / predicted) ** 2
    directions = np.stack(
        [np.full(3, np.nan) if v.estimate.direction_b_a is None else v.estimate.direction_b_a for v in votes]
    )
    both = np.isfinite(directions[:, None, 0]) & np.isfinite(directions[None, :, 0])
    if direction_weight > 0 and both.any():
        error = np.array([vote.estimate.direction_stddev for vote in votes])
        error = np.where(np.isfinite(error), error, config.max_direction_stddev)
        expected = np.sqrt(error[:, None] ** 2 + error[None, :] ** 2 + config.direction_error_floor**2)
        turned = np.where(both, direction_distance(directions[:, None], directions[None, :]), 0.0)
        squared = squared + direction_weight * (turned / expected) ** 2
    return np.asarray(angle), np.sqrt(squared)
