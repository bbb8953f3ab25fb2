"""The path of verified matches over a sequence of views, and whether what the path says is what the views show.

A chain of strong links proves little by itself: two images that melt into each other are strongly linked all the way,
without the camera having turned at all. But views that see the same thing, by the rotations of the chain, must match each
other directly; where they do not, the chain has gone from one thing to another without going there (``closure``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interpose_ros.config import FramesConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.matching.store import MatchStore
from interpose_ros.matching.view_graph import Bridge, Link, average_rotations, loop_residual, strongest_bridge
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.views import View

CLOSURE_OVERLAP = 0.4
"""Least overlap of two views that are expected to match directly."""

CLOSURE_PARALLAX = np.deg2rad(10.0)
"""Most parallax, added up along the path, with which it can still be told what two views share."""

UNVERIFIED_CLOSURE = 0.43
"""Closure where nothing is due: neither shown nor refuted."""

HIDDEN_CLOSURE = 0.47
"""The same where parallax is why nothing is due, and no step is larger than its like, as that of a cut would be."""

_UNVERIFIED_WEIGHT = 0.15
"""What that counts for beside the pairs that are due: about as much as one pair that shares 45 % of the image."""

_UNEXPECTED_WEIGHT = 0.1
"""Weight of a pair that matches as well as its views can and agrees with the path, though nothing says that it must match:
its absence would have proved nothing."""

_EVEN_STEPS = 0.5
"""Least share of the largest step on the way between two views that the smallest has, for them to prove anything."""

_LARGE_STEP = 2.0
"""Size of a step, in median steps of the path, that may be a cut."""

_LITTLE_OVERLAP = 0.3
_GRID = 12
_LEAST_EXPECTED = 3.0


@dataclass(frozen=True, eq=False)
class VerifiedPath:
    """A path from the first view to the last.

    Attributes:
        links: that agree with the averaged rotations.
        bridge: the strongest path among them.
        rotations: ``R_i_w`` of every view; NaN where no link reaches.
        evidence: ``bridge_inliers``, ``bridge_coverage``, ``bridge_score``, ``bridge_ratio`` of the weakest link each,
            ``bridge_links``; ``parallax``, the median over the bridge's links, and ``cycle_residual`` in radians;
            ``contradiction``, the share of verified matches in links that disagree with the others by more than is
            allowed; ``closure``, see ``DuePairs.closure``; ``closure_pairs``, how many pairs of views it rests on.
    """

    links: list[Link]
    bridge: Bridge
    rotations: Float[np.ndarray, "n 3 3"]
    evidence: dict[str, float]

    @property
    def R_b_a(self) -> Float[np.ndarray, "3 3"]:
        """Rotation from the first view's frame into the last view's."""
        return np.asarray(self.rotations[-1] @ self.rotations[0].T)

    @property
    def rotation_covariance(self) -> Float[np.ndarray, "3 3"]:
        """Sum of the links' covariances along the bridge: an upper bound, since loops and tracks share the load."""
        total = sum((link.geometry.rotation_covariance for link in self.bridge.links), np.zeros((3, 3)))
        return np.asarray(total)


def verify_path(views: Sequence[View], store: MatchStore, config: FramesConfig) -> VerifiedPath | Refusal:
    """The path of verified matches from the first view to the last, or why there is none.

    Views up to ``config.skip`` steps apart are matched, and further ones where the rotations say that they share much.
    """
    count = len(views)
    links = _links(views, store, config)
    if links is None or strongest_bridge(count, links) is None:
        return Refusal(RefusalReason.NO_OVERLAP, f"verified matches do not connect A and B over {count - 2} frames")
    rotations, agreeing = average_rotations(count, links, config.max_link_disagreement)
    bridge = strongest_bridge(count, agreeing)
    if bridge is None:
        return Refusal(RefusalReason.INCONSISTENT, "the links that connect A and B contradict each other")
    total = sum(link.strength for link in links)
    evidence = {
        "bridge_inliers": float(bridge.weakest.strength),
        "bridge_coverage": min(min(link.pair.coverage()) for link in bridge.links),
        "bridge_score": min(link.pair.inlier_score() for link in bridge.links),
        "bridge_ratio": min(link.strength / max(len(link.pair.matches), 1) for link in bridge.links),
        "bridge_links": float(len(bridge.links)),
        "parallax": float(np.median([link.geometry.parallax for link in bridge.links])),
        "cycle_residual": loop_residual(agreeing),
        "contradiction": 1.0 - sum(link.strength for link in agreeing) / total,
    }
    due = due_pairs(views, rotations, agreeing, store, config)
    evidence["closure"], evidence["closure_pairs"] = due.closure, float(len(due.pairs))
    return VerifiedPath(agreeing, bridge, rotations, evidence)


def _links(views: Sequence[View], store: MatchStore, config: FramesConfig) -> list[Link] | None:
    """Links between views up to ``config.skip`` steps apart; None once it is clear that an end has none."""
    last = len(views) - 1
    pairs = [(i, j) for i in range(last + 1) for j in range(i + 1, min(i + 1 + config.skip, last + 1))]

    def among(wanted: list[tuple[int, int]]) -> list[Link]:
        found = (Link.between(i, j, store.pair(views[i], views[j]), config.min_link_inliers) for i, j in wanted)
        return [link for link in found if link is not None]

    links = among([pair for pair in pairs if pair[0] == 0])
    if not links:
        return None
    links += among([pair for pair in pairs if pair[0] > 0 and pair[1] == last])
    if not any(link.j == last for link in links):
        return None
    links += among([pair for pair in pairs if pair[0] > 0 and pair[1] < last])
    return sorted(links, key=lambda link: (link.i, link.j))


def rotation_overlap(camera_i: Camera, camera_j: Camera, R_j_i: Float[np.ndarray, "3 3"]) -> float:
    """Share of the smaller view, 0 to 1, that both cameras see if they only turn."""
    return min(_seen_share(camera_i, camera_j, R_j_i), _seen_share(camera_j, camera_i, R_j_i.T))


def _seen_share(camera_from: Camera, camera_to: Camera, R_to_from: np.ndarray) -> float:
    u, v = np.meshgrid(np.linspace(0, camera_from.width - 1, _GRID), np.linspace(0, camera_from.height - 1, _GRID))
    rays = camera_from.bearings(np.stack([u.ravel(), v.ravel()], axis=1)) @ R_to_from.T
    # A lens model may fold what lies far outside back into the image; without it nothing does.
    pixels = camera_to.without_distortion().project(rays)
    inside: Bool[np.ndarray, "n"] = np.all(
        (pixels >= -0.5) & (pixels < [camera_to.width - 0.5, camera_to.height - 0.5]), 1
    )
    return float(inside.mean())


@dataclass(frozen=True, eq=False)
class DuePairs:
    """Pairs of views that should match each other directly, by what the path says.

    Attributes:
        pairs: numbers of the views, the smaller first.
        weight: how much a pair says: more with much overlap, less with parallax, as what is shared is then less certain.
        expected: matches that they should have.
        found: matches that agree with the path.
        unverified: closure of the cut between each view and the next before any pair across it has been looked at.
    """

    pairs: Int[np.ndarray, "p 2"]
    weight: Float[np.ndarray, "p"]
    expected: Float[np.ndarray, "p"]
    found: Float[np.ndarray, "p"]
    unverified: Float[np.ndarray, "cuts"]

    @property
    def closure(self) -> float:
        """Share of what is due across the worst cut that was found, 0 to 1.

        A cut lies between two neighbours, and pairs on both sides of it are due across it. A single look-alike among them
        matters little, least with little overlap; where a sequence goes from one thing to another without going there, most
        pairs across fail. Neighbours are left out: they are linked all the way in any smooth sequence.

        The share is the mean of a Beta posterior: before any pair has been looked at it is ``unverified``, and it moves from
        there as far as the pairs across the cut have weight. So few pairs, or pairs of which parallax leaves in doubt what
        they share, neither prove nor refute much.
        """
        weight = np.where(self.pairs[:, 1] - self.pairs[:, 0] > 1, self.weight, 0.0)
        share = np.minimum(self.found / self.expected, 1.0)
        worst = 1.0
        for cut, before in enumerate(self.unverified):
            across = weight * ((self.pairs[:, 0] <= cut) & (self.pairs[:, 1] > cut))
            shown = float(before) * _UNVERIFIED_WEIGHT + float(across @ share)
            worst = min(worst, shown / (_UNVERIFIED_WEIGHT + float(across.sum())))
        return worst


def due_pairs(
    views: Sequence[View],
    rotations: Float[np.ndarray, "n 3 3"],
    links: Sequence[Link],
    store: MatchStore,
    config: FramesConfig,
) -> DuePairs:
    """The pairs that should match, by the rotations ``R_i_w`` and links of a path; those not matched yet are."""
    count = len(views)
    parallax, overlap = _accumulated_parallax(count, links), np.zeros((count, count))
    for i in range(count):
        for j in range(i + 1, count):
            R_j_i = rotations[j] @ rotations[i].T
            if np.all(np.isfinite(R_j_i)):
                turned = rotation_overlap(views[i].camera, views[j].camera, R_j_i)
                # Parallax may have moved everything further out of sight, all of it the same way.
                shifted = turned - parallax[i, j] / _field_of_view(views[i].camera)
                overlap[i, j] = overlap[j, i] = max(shifted, 0.0)
    strength = {(link.i, link.j): link.strength for link in links}
    # What a view has shown that it can match, were the whole of it shared.
    matchable = np.zeros(count)
    for link in links:
        for view in (link.i, link.j):
            matchable[view] = max(matchable[view], link.strength / max(overlap[link.i, link.j], CLOSURE_OVERLAP))
    rows = []
    for i in range(count):
        for j in range(i + 1, count):
            expected = overlap[i, j] * min(matchable[i], matchable[j])
            near = overlap[i, j] >= CLOSURE_OVERLAP and parallax[i, j] <= CLOSURE_PARALLAX
            if not near or expected < _LEAST_EXPECTED * config.min_link_inliers:
                if (i, j) in strength and _is_stepwise(i, j, rotations, parallax):
                    shared = strength[i, j] / min(matchable[i], matchable[j])
                    rows.append((i, j, _UNEXPECTED_WEIGHT * shared, 1.0, 1.0))
                continue
            # The keyframes are what everything hangs on; between frames, what the path needed has been matched anyway.
            if not (j - i <= config.skip or i == 0 or j == count - 1):
                continue
            pair = store.pair(views[i], views[j])
            if isinstance(pair.geometry, Refusal) and pair.geometry.reason is RefusalReason.AMBIGUOUS:
                continue  # they do match, but whether by the path's rotation is left open
            direct = Link.between(i, j, pair, config.min_link_inliers)
            found = 0.0
            if direct is not None:
                gap = float(rotation_distance(direct.geometry.R_b_a @ rotations[i], rotations[j]))
                found = float(direct.strength) if gap < config.max_link_disagreement else 0.0
            weight = (overlap[i, j] - _LITTLE_OVERLAP) * (1.0 - parallax[i, j] / CLOSURE_PARALLAX)
            rows.append((i, j, weight, expected, found))
    table = np.array(rows).reshape(-1, 5)
    unverified = _unverified_closure(rotations, parallax)
    return DuePairs(table[:, :2].astype(np.int64), table[:, 2], table[:, 3], table[:, 4], unverified)


def _unverified_closure(
    rotations: Float[np.ndarray, "n 3 3"], parallax: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "cuts"]:
    """Of every cut, by whether parallax hides what is due across it and whether the step there is like the others."""
    last = len(rotations) - 1
    steps = np.array([_step(k, rotations, parallax) for k in range(last)])
    found = np.full(last, UNVERIFIED_CLOSURE)
    for cut, step in enumerate(steps):
        across = [parallax[i, i + 2] for i in (cut - 1, cut) if i >= 0 and i + 2 <= last]
        hidden = bool(across) and min(across) > 0.5 * CLOSURE_PARALLAX
        if hidden and step <= _LARGE_STEP * np.median(steps):
            found[cut] = HIDDEN_CLOSURE
    return found


def _step(k: int, rotations: Float[np.ndarray, "n 3 3"], parallax: Float[np.ndarray, "n n"]) -> float:
    """Size of the step from view k to the next, in radians: how far the camera turned, and how far things moved besides."""
    return float(rotation_distance(rotations[k], rotations[k + 1])) + float(parallax[k, k + 1])


def _is_stepwise(i: int, j: int, rotations: Float[np.ndarray, "n 3 3"], parallax: Float[np.ndarray, "n n"]) -> bool:
    """Whether the camera moved with every step from i to j. Otherwise i and j are linked as two neighbours are, no more."""
    steps = [_step(k, rotations, parallax) for k in range(i, j)]
    return len(steps) > 1 and all(map(math.isfinite, steps)) and min(steps) >= _EVEN_STEPS * max(steps)


def _field_of_view(camera: Camera) -> float:
    """Across the shorter side, in radians."""
    return 2.0 * math.atan(0.5 * min(camera.width, camera.height) / camera.focal_length)


def _accumulated_parallax(count: int, links: Sequence[Link]) -> Float[np.ndarray, "n n"]:
    """Least sum of the links' parallax (radians) on the way between any two views (Floyd and Warshall)."""
    distance = np.full((count, count), np.inf)
    np.fill_diagonal(distance, 0.0)
    for link in links:
        distance[link.i, link.j] = distance[link.j, link.i] = link.geometry.parallax
    for middle in range(count):
        distance = np.minimum(distance, distance[:, middle, None] + distance[None, middle, :])
    return distance
