"""Pointmaps of many subsets of views, gathered into one batch of equal shape for alignment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from interpose_ros.dust3r.focal import focal_by_weiszfeld
from interpose_ros.dust3r.inference import PairPredictions

MIN_EDGE_POINTS = 12
"""Fewest confident points that both pointmaps of a pair need to take part."""


@dataclass(frozen=True)
class AlignmentBatch:
    """Subsets of ``n`` views each, with ``p`` pixels per view and ``e = n (n - 1)`` directed edges.

    Attributes:
        edges: ``(e, 2)`` local numbers of first and second view of each edge.
        pixels: ``(s, n, p, 2)`` coordinates on the plane z = 1 where K is known; where the focal length is unknown,
            offsets from the image's centre in pixels.
        focal: ``(s, n)`` initial focal length in pixels; 1 where K is known.
        focal_group: ``(s, n)`` views of one subset with the same number share a focal length; -1 where K is known.
        points: ``(s, e, 2, p, 3)`` first and second pointmap of each edge, divided by ``unit``.
        weights: ``(s, e, 2, p)`` logarithm of the confidence; 0 for points that do not count.
        edge_score: ``(s, e)`` product of both maps' mean confidence; 0 for edges that do not take part.
        unit: ``(s, e)`` median depth of the edge's first map, in the network's units.
    """

    edges: Tensor
    pixels: Tensor
    focal: Tensor
    focal_group: Tensor
    points: Tensor
    weights: Tensor
    edge_score: Tensor
    unit: Tensor

    def select(self, scenes: Tensor) -> AlignmentBatch:
        """The given scenes."""
        parts = (self.pixels, self.focal, self.focal_group, self.points, self.weights, self.edge_score, self.unit)
        return AlignmentBatch(self.edges, *(part[scenes] for part in parts))


def edges_of(n: int) -> list[tuple[int, int]]:
    """Directed edges of a complete graph over ``n`` views."""
    return [(i, j) for i in range(n) for j in range(n) if i != j]


def gather(
    predictions: PairPredictions,
    subsets: Sequence[Sequence[int]],
    use_camera: Sequence[bool],
    min_confidence: float,
    points_per_view: int,
) -> AlignmentBatch:
    """Batch of subsets with equally many views.

    Args:
        predictions: hold both orders of every pair within each subset, or of none.
        subsets: numbers of the views; each of the same length.
        use_camera: per view of ``predictions``, whether its camera's K is to be trusted.
        min_confidence: points below do not count.
        points_per_view: most pixels that are used per view, evenly spread.

    Raises:
        ValueError: a subset has fewer than two views or lacks an order of a pair.
    """
    n = len(subsets[0])
    if n < 2 or any(len(subset) != n for subset in subsets):
        raise ValueError("alignment needs subsets of equal size with at least two views each")
    edges = edges_of(n)
    for subset in subsets:
        for i, j in edges:
            if (subset[i], subset[j]) not in predictions:
                raise ValueError(f"views {subset[i]} and {subset[j]} are aligned, but that order was not predicted")
    first_map = predictions[subsets[0][0], subsets[0][1]].points_first
    needed = sorted({view for subset in subsets for view in subset})
    chosen = {view: _spread_pixels(_map_shape(predictions, view, subsets), points_per_view) for view in needed}
    count = min(len(indices) for indices in chosen.values())
    chosen = {view: indices[:count].to(first_map.device) for view, indices in chosen.items()}
    edge_cache: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def edge_data(i: int, j: int) -> tuple[Tensor, Tensor]:
        if (i, j) not in edge_cache:
            maps = predictions[i, j]
            points = torch.stack(
                [maps.points_first.reshape(-1, 3)[chosen[i]], maps.points_second.reshape(-1, 3)[chosen[j]]]
            )
            confidence = torch.stack(
                [maps.confidence_first.flatten()[chosen[i]], maps.confidence_second.flatten()[chosen[j]]]
            )
            edge_cache[i, j] = points, confidence
        return edge_cache[i, j]

    gathered = [[edge_data(subset[i], subset[j]) for i, j in edges] for subset in subsets]
    points = torch.stack([torch.stack([p for p, _ in row]) for row in gathered]).to(torch.float64)
    confidence = torch.stack([torch.stack([c for _, c in row]) for row in gathered]).to(torch.float64)
    # Exponentials overflow on images that the network cannot cope with; such points do not count.
    counts = (confidence >= min_confidence) & torch.isfinite(confidence) & torch.isfinite(points).all(-1)
    confidence = torch.where(counts, confidence, 1.0)
    weights = confidence.clamp(min=1.0).log()
    enough = (counts.sum(-1) >= MIN_EDGE_POINTS).all(-1)
    weights = weights * enough[..., None, None]
    points = torch.where(counts[..., None], points, 0.0)
    # Both maps of an edge share a unit; without it, edges that the network predicts large would outweigh the others.
    depth = torch.where(counts[:, :, 0], points[:, :, 0].norm(dim=-1), torch.nan)
    unit = torch.nan_to_num(depth.nanmedian(-1).values, nan=1.0).clamp(min=1e-9)
    score = confidence.mean(-1).prod(-1) * enough
    pixels, focal, group = _rays(predictions, subsets, use_camera, chosen, points, weights, edges)
    return AlignmentBatch(
        torch.tensor(edges, device=points.device), pixels, focal, group, points / unit[..., None, None, None], weights,
        score, unit,
    )  # fmt: skip


def _map_shape(predictions: PairPredictions, view: int, subsets: Sequence[Sequence[int]]) -> tuple[int, int]:
    subset = next(s for s in subsets if view in s)
    other = next(v for v in subset if v != view)
    height, width = predictions[view, other].confidence_first.shape
    return height, width


def _spread_pixels(shape: tuple[int, int], most: int) -> Tensor:
    """Flat indices of pixels on a regular grid, at most so many."""
    height, width = shape
    step = max(1, int((height * width / most) ** 0.5))
    while len(range(step // 2, height, step)) * len(range(step // 2, width, step)) > most:
        step += 1
    rows, columns = torch.arange(step // 2, height, step), torch.arange(step // 2, width, step)
    return (rows[:, None] * width + columns).flatten()


def _rays(
    predictions: PairPredictions,
    subsets: Sequence[Sequence[int]],
    use_camera: Sequence[bool],
    chosen: dict[int, Tensor],
    points: Tensor,
    weights: Tensor,
    edges: list[tuple[int, int]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels or rays, initial focal lengths, and which views share one; per subset and view."""
    device = points.device
    s, n = len(subsets), len(subsets[0])
    rays_of_view = {}
    for view, indices in chosen.items():
        _, width = _map_shape(predictions, view, subsets)
        pixels = torch.stack([indices % width, indices // width], dim=-1).to(torch.float64) * predictions.stride
        camera = predictions.views[view].camera
        if use_camera[view]:
            rays = torch.from_numpy(camera.normalise(pixels.cpu().numpy())).to(device)
        else:
            rays = pixels - torch.tensor([0.5 * (camera.width - 1), 0.5 * (camera.height - 1)]).to(pixels)
        rays_of_view[view] = rays
    pixels = torch.stack([torch.stack([rays_of_view[v] for v in subset]) for subset in subsets])
    # Views that nobody calibrated are frames of one clip, made by one camera that does not exist: equal sizes share a
    # focal length.
    sizes = {v: predictions.views[v].pixels.shape[1] * 65536 + predictions.views[v].pixels.shape[0] for v in chosen}
    group = torch.tensor([[-1 if use_camera[v] else sizes[v] for v in subset] for subset in subsets], device=device)
    focal = torch.ones(s, n, dtype=torch.float64, device=device)
    for i in range(n):
        if bool((group[:, i] < 0).all()):
            continue
        # A view's own map appears on every edge that starts at it: all of them vote.
        outgoing = [k for k, (first, _) in enumerate(edges) if first == i]
        own, weight = points[:, outgoing, 0].flatten(1, 2), weights[:, outgoing, 0].flatten(1, 2)
        seen = pixels[:, i].repeat(1, len(outgoing), 1)
        side = float(max(max(predictions.views[v[i]].pixels.shape[:2]) for v in subsets))
        estimate = focal_by_weiszfeld(own, seen, torch.zeros(s, 2).to(seen), weight, side)
        focal[:, i] = torch.where(group[:, i] < 0, 1.0, torch.nan_to_num(estimate, nan=1.2 * side))
    shared = (group[:, :, None] == group[:, None]).to(focal)
    log_mean = (shared * focal.log()[:, None]).sum(-1) / shared.sum(-1)
    return pixels, torch.where(group < 0, 1.0, log_mean.exp()), group
