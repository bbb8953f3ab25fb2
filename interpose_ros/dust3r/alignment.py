"""Poses of all views of many subsets from their pointmaps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interpose_ros.config import Dust3rAlignmentConfig
from interpose_ros.dust3r.alignment_batch import AlignmentBatch, edges_of, gather
from interpose_ros.dust3r.inference import PairPredictions
from interpose_ros.dust3r.initial_poses import (
    candidate_trees,
    canonical_units,
    chain,
    connected_views,
    loop_errors,
    pairwise_similarities,
    symmetric_strength,
)
from interpose_ros.dust3r.joint_optimisation import (
    AlignmentState,
    Optimised,
    optimise,
    robust_loss,
    state_from_poses,
)
from interpose_ros.dust3r.procrustes import Similarity
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation


@dataclass(frozen=True, eq=False)
class AlignedView:
    """One view of an aligned subset.

    Attributes:
        T_first_view: from this view's frame into that of the subset's first view, in the subset's own unit of length.
        focal: focal length in pixels of the prepared image; that of the camera where it is known.
        points_first: ``(p, 3)`` points that it sees, in the first view's frame.
        pixels: ``(p, 2)`` where it sees them, in pixels of the prepared image.
        weights: ``(p,)`` how sure the network is; 0 for points that did not count.
    """

    T_first_view: Float[np.ndarray, "4 4"]
    focal: float
    points_first: Float[np.ndarray, "p 3"]
    pixels: Float[np.ndarray, "p 2"]
    weights: Float[np.ndarray, "p"]


@dataclass(frozen=True, eq=False)
class AlignedSubset:
    """Poses of the views of one subset.

    Attributes:
        views: numbers of the views, as given.
        aligned: per view; None for views that no confident edge links to the first one.
        distance: weighted mean distance between pointmaps and result, relative to the median depth.
        edge_rotation_error: root mean square angle, in radians, by which single edges disagree with the result,
            weighted by their scores.
        edge_direction_error: the same of the translation directions; NaN where nothing moved measurably.
        edge_share: share of the edges that take part.
        mean_score: mean product of both maps' mean confidence over the edges that take part.
        iterations: steps taken.
    """

    views: tuple[int, ...]
    aligned: tuple[AlignedView | None, ...]
    distance: float
    edge_rotation_error: float
    edge_direction_error: float
    edge_share: float
    mean_score: float
    iterations: int

    def pose(self, position: int) -> Float[np.ndarray, "4 4"] | None:
        """``T_view_first`` of the view at a position in ``views``; None if it is not linked to the first."""
        view = self.aligned[position]
        return None if view is None else inverse(view.T_first_view)


def align_subsets(
    predictions: PairPredictions,
    subsets: Sequence[Sequence[int]],
    config: Dust3rAlignmentConfig | None = None,
    use_camera: Sequence[bool] | None = None,
) -> list[AlignedSubset]:
    """Align every subset by itself; subsets of equal size are one batch.

    Args:
        predictions: both orders of every pair within each subset.
        subsets: numbers of views, at least two each; the first is the origin.
        config: thresholds and sizes.
        use_camera: per view of ``predictions``, whether its K is known. Else its principal point is the centre and
            its focal length is estimated, one for all such views of equal size in a subset. By default all are known.

    Raises:
        ValueError: a subset is too small, or lacks an order of a pair.
    """
    config = config or Dust3rAlignmentConfig()
    known = [True] * len(predictions.views) if use_camera is None else list(use_camera)
    results: list[AlignedSubset | None] = [None] * len(subsets)
    by_size = defaultdict(list)
    for number, subset in enumerate(subsets):
        by_size[len(subset)].append(number)
    for numbers in by_size.values():
        chosen = [tuple(subsets[i]) for i in numbers]
        batch = gather(predictions, chosen, known, config.min_confidence, config.points_per_view)
        linked = _linked_views(batch)
        # Views that hang on nothing would make the system singular: subsets are aligned without them.
        by_links = defaultdict(list)
        for row, number in enumerate(numbers):
            by_links[tuple(np.flatnonzero(linked[row]).tolist())].append((row, number))
        for positions, members in by_links.items():
            rows = torch.tensor([row for row, _ in members], device=batch.points.device)
            solved = _solve(_restrict(batch.select(rows), positions), config) if len(positions) > 1 else None
            for k, (row, number) in enumerate(members):
                results[number] = _result(predictions, tuple(subsets[number]), batch, row, positions, solved, k, known)
    return [result for result in results if result is not None]


@dataclass(frozen=True)
class _Solved:
    batch: AlignmentBatch
    similarities: Similarity
    optimised: Optimised


def _linked_views(batch: AlignmentBatch) -> np.ndarray:
    edges, n = batch.edges.cpu().numpy(), batch.pixels.shape[1]
    return np.stack([connected_views(score, edges, n) for score in batch.edge_score.cpu().numpy()])


def _restrict(batch: AlignmentBatch, positions: tuple[int, ...]) -> AlignmentBatch:
    """The batch without the views at other positions and without their edges."""
    if len(positions) == batch.pixels.shape[1]:
        return batch
    all_edges = [tuple(edge) for edge in batch.edges.tolist()]
    kept = [all_edges.index((positions[i], positions[j])) for i, j in edges_of(len(positions))]
    local = torch.tensor(edges_of(len(positions)), device=batch.edges.device)
    views = list(positions)
    return AlignmentBatch(
        local, batch.pixels[:, views], batch.focal[:, views], batch.focal_group[:, views],
        batch.points[:, kept], batch.weights[:, kept], batch.edge_score[:, kept], batch.unit[:, kept],
    )  # fmt: skip


def _solve(batch: AlignmentBatch, config: Dust3rAlignmentConfig) -> _Solved:
    n = batch.pixels.shape[1]
    edges = batch.edges.cpu().numpy()
    similarities = pairwise_similarities(batch)
    units = canonical_units(batch)
    loops = loop_errors(similarities, batch.edges, n).cpu().numpy()
    trees = [
        candidate_trees(symmetric_strength(score, edges, n), loop)
        for score, loop in zip(batch.edge_score.cpu().numpy(), loops, strict=True)
    ]
    best: AlignmentState | None = None
    best_loss = torch.empty(0)
    for attempt in range(max(len(t) for t in trees)):
        tree = [t[min(attempt, len(t) - 1)] for t in trees]
        state = state_from_poses(batch, chain(similarities, batch.edges, tree, n), units)
        loss = robust_loss(batch, state)
        if best is None:
            best, best_loss = state, loss
            continue
        better = (loss < best_loss).nonzero()[:, 0]
        best, best_loss = best.replaced(better, state.select(better)), torch.minimum(loss, best_loss)
    assert best is not None
    return _Solved(batch, similarities, optimise(batch, best, config))


def _result(
    predictions: PairPredictions,
    subset: tuple[int, ...],
    whole: AlignmentBatch,
    row: int,
    positions: tuple[int, ...],
    solved: _Solved | None,
    k: int,
    known: Sequence[bool],
) -> AlignedSubset:
    share = float((whole.edge_score[row] > 0).double().mean())
    if solved is None:
        nan = float("nan")
        return AlignedSubset(subset, (None,) * len(subset), nan, nan, nan, share, nan, 0)
    optimised, batch = solved.optimised, solved.batch
    state = optimised.state
    R, t = state.R[k].cpu().numpy(), state.t[k].cpu().numpy()
    T_world_view = [transform_from_rotation_translation(_orthonormal(R[m]), t[m]) for m in range(len(positions))]
    T_first_world = inverse(T_world_view[0])
    T_first_view = [T_first_world @ T for T in T_world_view]
    world = state.world_points(batch)[k].cpu().numpy()
    aligned: list[AlignedView | None] = [None] * len(subset)
    for m, position in enumerate(positions):
        camera = predictions.views[subset[position]].camera
        focal = camera.focal_length if known[subset[position]] else float(state.focal[k, m])
        incident = [e for e, edge in enumerate(batch.edges.tolist()) if edge[0] == m]
        pixels = _pixel_positions(batch.pixels[k, m], known[subset[position]], camera.K, camera.width, camera.height)
        points = world[m] @ T_first_world[:3, :3].T + T_first_world[:3, 3]
        weights = batch.weights[k, incident, 0].mean(0).cpu().numpy()
        aligned[position] = AlignedView(T_first_view[m], focal, points, pixels, weights)
    rotation_error, direction_error = _edge_errors(batch, solved.similarities, k, T_first_view)
    used = batch.edge_score[k] > 0
    return AlignedSubset(
        subset, tuple(aligned), float(optimised.loss[k]), rotation_error, direction_error, share,
        float(batch.edge_score[k][used].mean()), int(optimised.iterations[k]),
    )  # fmt: skip


def _orthonormal(R: np.ndarray) -> np.ndarray:
    """Nearest rotation: products of many small ones drift."""
    u, _, vt = np.linalg.svd(R)
    return u @ vt


def _pixel_positions(pixels: Tensor, known: bool, K: np.ndarray, width: int, height: int) -> np.ndarray:
    offsets = pixels.cpu().numpy()
    if known:
        return offsets @ K[:2, :2].T + K[:2, 2]
    return offsets + np.array([0.5 * (width - 1), 0.5 * (height - 1)])


def _edge_errors(
    batch: AlignmentBatch, similarities: Similarity, k: int, T_first_view: list[np.ndarray]
) -> tuple[float, float]:
    """How far single edges are from the result, as root mean square angles of rotation and of translation direction."""
    R_edge, t_edge = similarities.R[k].cpu().numpy(), similarities.t[k].cpu().numpy()
    score = batch.edge_score[k].cpu().numpy()
    turn, swing, weight, swing_weight = [], [], [], []
    for e, (i, j) in enumerate(batch.edges.tolist()):
        if score[e] <= 0:
            continue
        T_i_j = inverse(T_first_view[i]) @ T_first_view[j]
        turn.append(float(rotation_distance(R_edge[e : e + 1], T_i_j[None, :3, :3])[0]))
        weight.append(score[e])
        lengths = np.linalg.norm(T_i_j[:3, 3]) * np.linalg.norm(t_edge[e])
        if lengths > 1e-12:
            cosine = np.clip(T_i_j[:3, 3] @ t_edge[e] / lengths, -1.0, 1.0)
            swing.append(float(np.arccos(cosine)))
            swing_weight.append(score[e])

    def root_mean_square(values: list[float], weights: list[float]) -> float:
        return float(np.sqrt(np.average(np.square(values), weights=weights))) if values else float("nan")

    return root_mean_square(turn, weight), root_mean_square(swing, swing_weight)
