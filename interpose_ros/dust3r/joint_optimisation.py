"""Joint optimisation of poses, depths, scales and focal lengths of many subsets at once, by damped Gauss-Newton steps.

The model is that of DUSt3R's global alignment (section 3.4): every view has a pose, a focal length and a depth per
pixel; every edge has a similarity that maps its two pointmaps onto them; the sum of weighted distances is least. Two
things differ. Distances are measured in the units of each edge instead of the world's, so that shrinking the world
gains nothing and no scale has to be held. And an edge that disagrees as a whole counts less, since the network may be
sure and wrong.

Steps are second order: weights from the last residuals turn distances into squares (iteratively reweighted), depths are
eliminated pixel by pixel (Schur complement), and what is left is a small system of poses and edges per subset.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from interpose_ros.config import Dust3rAlignmentConfig
from interpose_ros.dust3r.alignment_batch import AlignmentBatch
from interpose_ros.dust3r.procrustes import Similarity, robust_similarity

DISTANCE_FLOOR = 1e-3
"""Distance, relative to an edge's median depth, below which the loss is quadratic."""

_VIEW = 7
_EDGE = 7
_MIN_DAMPING, _MAX_DAMPING = 1e-9, 1e6


@dataclass(frozen=True)
class AlignmentState:
    """Unknowns of ``s`` subsets.

    Attributes:
        R, t: ``(s, n, 3, 3)`` and ``(s, n, 3)``, from each view's frame into the common one.
        focal: ``(s, n)``, in the units of ``AlignmentBatch.pixels``.
        depth: ``(s, n, p)`` along z.
        world_edge: ``(s, e)`` maps from each edge's pointmaps into the common frame.
    """

    R: Tensor
    t: Tensor
    focal: Tensor
    depth: Tensor
    world_edge: Similarity

    def select(self, scenes: Tensor) -> AlignmentState:
        """The given subsets."""
        return AlignmentState(
            self.R[scenes], self.t[scenes], self.focal[scenes], self.depth[scenes], self.world_edge[scenes]
        )

    def replaced(self, scenes: Tensor, other: AlignmentState) -> AlignmentState:
        """With the given subsets taken from ``other``."""

        def put(mine: Tensor, theirs: Tensor) -> Tensor:
            return mine.index_copy(0, scenes, theirs)

        mine, theirs = self.world_edge, other.world_edge
        edge = Similarity(put(mine.scale, theirs.scale), put(mine.R, theirs.R), put(mine.t, theirs.t))
        return AlignmentState(
            put(self.R, other.R), put(self.t, other.t), put(self.focal, other.focal), put(self.depth, other.depth), edge
        )

    def rays(self, batch: AlignmentBatch) -> Tensor:
        """``(s, n, p, 3)`` viewing rays with z = 1, in each view's frame."""
        xy = batch.pixels / self.focal[..., None, None]
        return torch.cat([xy, torch.ones_like(xy[..., :1])], dim=-1)

    def world_points(self, batch: AlignmentBatch) -> Tensor:
        """``(s, n, p, 3)`` points in the common frame."""
        return (self.depth[..., None] * self.rays(batch)) @ self.R.transpose(-1, -2) + self.t[..., None, :]


@dataclass(frozen=True)
class Optimised:
    """Result of ``optimise``.

    Attributes:
        state: best unknowns found.
        loss: ``(s,)`` weighted mean distance, relative to the median depth.
        edge_distance: ``(s, e)`` the same per edge; NaN for edges that do not take part.
        iterations: ``(s,)`` steps taken.
    """

    state: AlignmentState
    loss: Tensor
    edge_distance: Tensor
    iterations: Tensor


def state_from_poses(batch: AlignmentBatch, world_view: Similarity, units: Tensor) -> AlignmentState:
    """State with the given poses; depths and edges are fitted to them.

    Args:
        batch: pointmaps.
        world_view: ``(s, n)`` from each view's frame, in its canonical unit, into the common frame.
        units: ``(s, e)`` from each edge's unit to the canonical unit of its first view.
    """
    edges = batch.edges
    n = batch.pixels.shape[1]
    # Every edge's first map is in its first view's frame, up to the edge's unit.
    first = edges[:, 0]
    edge = Similarity(units * world_view.scale[:, first], world_view.R[:, first], world_view.t[:, first])
    state = AlignmentState(world_view.R, world_view.t, batch.focal, torch.ones_like(batch.pixels[..., 0]), edge)
    weights = batch.weights / edge.scale[..., None, None].square()
    # Depths start from the views' own maps alone: an edge's second map may be misplaced.
    own = weights.clone()
    own[:, :, 1] = 0.0
    for i in range(n):
        state.depth[:, i] = _fit_depth(batch, state, own, i)
    world = state.world_points(batch)
    source = batch.points.flatten(2, 3)
    target = torch.stack([world[:, edges[:, 0]], world[:, edges[:, 1]]], dim=2).flatten(2, 3)
    edge = robust_similarity(source, target, batch.weights.flatten(2, 3), iterations=5)
    return AlignmentState(state.R, state.t, state.focal, state.depth, edge)


def distances(batch: AlignmentBatch, state: AlignmentState) -> Tensor:
    """``(s, e, 2, p)`` distances between pointmaps and views, relative to each edge's median depth."""
    return _residuals(batch, state).norm(dim=-1) / state.world_edge.scale[..., None, None]


def edge_distances(batch: AlignmentBatch, distance: Tensor) -> Tensor:
    """``(s, e)`` weighted mean distance per edge; NaN for edges that do not take part."""
    weight = batch.weights.sum((-1, -2))
    mean = (batch.weights * distance).sum((-1, -2)) / weight.clamp(min=1e-12)
    return torch.where(weight > 0, mean, torch.nan)


def robust_loss(batch: AlignmentBatch, state: AlignmentState) -> Tensor:
    """``(s,)`` loss by which starting points are compared: edges are capped, so that one wrong edge decides nothing."""
    per_edge = torch.nan_to_num(edge_distances(batch, distances(batch, state)))
    return (per_edge / (1.0 + per_edge / 0.1)).sum(-1)


def optimise(batch: AlignmentBatch, start: AlignmentState, config: Dust3rAlignmentConfig | None = None) -> Optimised:
    """Least weighted distances from the given starting point; every subset stops when it is done."""
    config = config or Dust3rAlignmentConfig()
    s = len(batch.points)
    state = start
    iterations = torch.zeros(s, dtype=torch.long)
    active = torch.arange(s, device=batch.points.device)
    damping = torch.full((s,), 1e-4, dtype=torch.float64, device=batch.points.device)
    for _ in range(config.max_iterations):
        if len(active) == 0:
            break
        part, current = batch.select(active), state.select(active)
        distance = distances(part, current)
        factor = _edge_factor(edge_distances(part, distance))
        before = _loss(part, distance, factor)
        candidate = _step(part, current, distance, factor, damping[active])
        after = _loss(part, distances(part, candidate), factor)
        better = torch.isfinite(after) & (after < before)
        state = state.replaced(active[better], candidate.select(better.nonzero()[:, 0]))
        iterations[active.cpu()] += 1
        damping[active] = torch.where(better, damping[active] * 0.1, damping[active] * 10.0).clamp(min=_MIN_DAMPING)
        small = better & ((before - after) < config.tolerance * before)
        done = small | (before < 1e-9) | (damping[active] > _MAX_DAMPING)
        active = active[~done]
    distance = distances(batch, state)
    per_edge = edge_distances(batch, distance)
    loss = (batch.weights * distance).sum((1, 2, 3)) / batch.weights.sum((1, 2, 3)).clamp(min=1e-12)
    return Optimised(state, loss, per_edge, iterations)


def _residuals(batch: AlignmentBatch, state: AlignmentState) -> Tensor:
    """``(s, e, 2, p, 3)`` pointmaps minus views, in the common frame."""
    world = state.world_points(batch)
    edge = state.world_edge
    mapped = edge.scale[..., None, None, None] * (batch.points @ edge.R.transpose(-1, -2)[:, :, None])
    mapped = mapped + edge.t[:, :, None, None]
    return mapped - torch.stack([world[:, batch.edges[:, 0]], world[:, batch.edges[:, 1]]], dim=2)


def _edge_factor(per_edge: Tensor) -> Tensor:
    """Weight of each edge as a whole: small where it disagrees much more than edges usually do in its subset."""
    usual = 2.0 * per_edge.nanmedian(-1, keepdim=True).values + DISTANCE_FLOOR
    return torch.nan_to_num(1.0 / (1.0 + (per_edge / usual).square()))


def _loss(batch: AlignmentBatch, distance: Tensor, factor: Tensor) -> Tensor:
    rho = torch.where(
        distance > DISTANCE_FLOOR, distance - 0.5 * DISTANCE_FLOOR, distance.square() / (2.0 * DISTANCE_FLOOR)
    )
    weight = batch.weights * factor[..., None, None]
    return (weight * rho).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=1e-12)


def _fit_depth(batch: AlignmentBatch, state: AlignmentState, weights: Tensor, view: int) -> Tensor:
    """``(s, p)`` best depths of one view, everything else held; weights ``(s, e, 2, p)`` are those of squares."""
    direction = state.rays(batch)[:, view] @ state.R[:, view].transpose(-1, -2)
    numerator = torch.zeros_like(direction[..., 0])
    total = torch.zeros_like(numerator)
    for k, side in _incident(batch, view):
        mapped = state.world_edge[:, k].apply(batch.points[:, k, side])
        w = weights[:, k, side]
        numerator += w * ((mapped - state.t[:, view, None]) * direction).sum(-1)
        total += w * direction.square().sum(-1)
    return (numerator / total.clamp(min=1e-12)).clamp(min=1e-6)


def _incident(batch: AlignmentBatch, view: int) -> list[tuple[int, int]]:
    """Edges that see a view, and as which of their two."""
    return [(k, side) for k, edge in enumerate(batch.edges.tolist()) for side in (0, 1) if edge[side] == view]


def _skew(v: Tensor) -> Tensor:
    zero = torch.zeros_like(v[..., 0])
    x, y, z = v.unbind(-1)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))


def _rotation(vector: Tensor) -> Tensor:
    return torch.linalg.matrix_exp(_skew(vector))


def _step(
    batch: AlignmentBatch, state: AlignmentState, distance: Tensor, factor: Tensor, damping: Tensor
) -> AlignmentState:
    """One damped Gauss-Newton step of the reweighted squares."""
    s, n = batch.pixels.shape[:2]
    e = len(batch.edges)
    scale = state.world_edge.scale
    weights = batch.weights * (factor / scale.square())[..., None, None] / distance.clamp(min=DISTANCE_FLOOR)
    residual = _residuals(batch, state)
    world = state.world_points(batch)
    size = _VIEW * n + _EDGE * e
    H = batch.points.new_zeros(s, size, size)
    g = batch.points.new_zeros(s, size)
    for view in range(n):
        incident = _incident(batch, view)
        local_H, local_g = _view_system(batch, state, view, world[:, view], residual, weights, incident)
        columns = list(range(_VIEW * view, _VIEW * (view + 1)))
        for k, _ in incident:
            columns += range(_VIEW * n + _EDGE * k, _VIEW * n + _EDGE * (k + 1))
        index = torch.tensor(columns, device=H.device)
        H[:, index[:, None], index[None, :]] += local_H
        g[:, index] += local_g
    shared = _shared_focal(batch.focal_group, size)
    if shared is not None:
        H, g = shared.transpose(-1, -2) @ H @ shared, (g[:, None] @ shared)[:, 0]
    diagonal = torch.diagonal(H, dim1=-2, dim2=-1)
    diagonal += damping[:, None] * diagonal + 1e-12 * diagonal.amax(-1, keepdim=True) + 1e-300
    factorised, _ = torch.linalg.cholesky_ex(H)
    delta = torch.cholesky_solve(g[..., None], factorised)[..., 0]
    if shared is not None:
        delta = (shared @ delta[..., None])[..., 0]
    moved = _move(state, delta, n, e)
    for view in range(n):
        moved.depth[:, view] = _fit_depth(batch, moved, weights, view)
    return moved


def _shared_focal(group: Tensor, size: int) -> Tensor | None:
    """``(s, size, size)`` from unknowns to those in which views of a group have the first one's focal length.

    None where no two views share one.
    """
    s, n = group.shape
    same = (group[:, :, None] == group[:, None]) & (group >= 0)[:, None]
    leader = same.to(torch.int8).argmax(-1)
    follows = (group >= 0) & (leader != torch.arange(n, device=group.device))
    if not bool(follows.any()):
        return None
    matrix = torch.eye(size, dtype=torch.float64, device=group.device).repeat(s, 1, 1)
    scene, view = follows.nonzero(as_tuple=True)
    matrix[scene, _VIEW * view + 6, _VIEW * view + 6] = 0.0
    matrix[scene, _VIEW * view + 6, _VIEW * leader[scene, view] + 6] = 1.0
    return matrix


def _view_system(
    batch: AlignmentBatch,
    state: AlignmentState,
    view: int,
    world: Tensor,
    residual: Tensor,
    weights: Tensor,
    incident: list[tuple[int, int]],
) -> tuple[Tensor, Tensor]:
    """Normal equations of everything that one view's pixels touch, depths eliminated.

    Unknowns: this view's small rotation, translation and change of log focal length, then per incident edge a small
    rotation, change of log scale and translation, all in the common frame.
    """
    rays = state.rays(batch)[:, view]
    R, depth = state.R[:, view], state.depth[:, view]
    direction = rays @ R.transpose(-1, -2)
    identity = torch.eye(3).to(world).expand(*world.shape[:2], 3, 3)
    flat_rays = torch.cat([rays[..., :2], torch.zeros_like(rays[..., :1])], dim=-1)
    focal_column = -depth[..., None] * (flat_rays @ R.transpose(-1, -2))
    focal_column = torch.where(batch.focal_group[:, view, None, None] < 0, 0.0, focal_column)
    J_view = torch.cat([-_skew(depth[..., None] * direction), identity, focal_column[..., None]], dim=-1)
    J_edge = torch.cat([-_skew(world), world[..., None], identity], dim=-1)

    w = torch.stack([weights[:, k, side] for k, side in incident], dim=1)
    u = torch.stack([residual[:, k, side] for k, side in incident], dim=1)
    total = w.sum(1)
    pulled = (w[..., None] * u).sum(1)
    s = len(total)
    count = len(incident)

    view_view = J_view.transpose(-1, -2) @ J_view
    view_edge = J_view.transpose(-1, -2) @ J_edge
    edge_edge = J_edge.transpose(-1, -2) @ J_edge
    H = world.new_zeros(s, _VIEW + _EDGE * count, _VIEW + _EDGE * count)
    H[:, :_VIEW, :_VIEW] = (total[:, None] @ view_view.flatten(2)).unflatten(-1, (_VIEW, _VIEW))[:, 0]
    mixed = (w @ view_edge.flatten(2)).unflatten(-1, (_VIEW, _EDGE))
    own = (w @ edge_edge.flatten(2)).unflatten(-1, (_EDGE, _EDGE))
    for m in range(count):
        block = slice(_VIEW + _EDGE * m, _VIEW + _EDGE * (m + 1))
        H[:, :_VIEW, block] = mixed[:, m]
        H[:, block, :_VIEW] = mixed[:, m].transpose(-1, -2)
        H[:, block, block] = own[:, m]
    g_view = (J_view * pulled[..., None]).sum((1, 2))
    g_edge = torch.einsum("skp,spca,skpc->ska", w, J_edge, u)
    g = torch.cat([g_view, g_edge.flatten(1)], dim=1)

    # Depth of each pixel: curvature, coupling to everything else, gradient.
    curvature = (total * direction.square().sum(-1)).clamp(min=1e-300)
    along_view = (J_view * direction[..., None]).sum(-2) * total[..., None]
    along_edge = (J_edge * direction[..., None]).sum(-2)[:, None] * w[..., None]
    coupling = torch.cat([along_view, along_edge.permute(0, 2, 1, 3).flatten(2)], dim=-1)
    coupling = coupling * (total > 0)[..., None]
    scaled = coupling / curvature.sqrt()[..., None]
    H = H - scaled.transpose(-1, -2) @ scaled
    depth_gradient = (pulled * direction).sum(-1)
    g = g - (coupling * (depth_gradient / curvature)[..., None]).sum(1)
    return H, g


def _move(state: AlignmentState, delta: Tensor, n: int, e: int) -> AlignmentState:
    view = delta[:, : _VIEW * n].unflatten(1, (n, _VIEW))
    edge = delta[:, _VIEW * n :].unflatten(1, (e, _EDGE))
    # Steps are bounded: a rotation by more than a radian, or a factor of more than e, is no small change.
    view_turn, edge_turn = view[..., :3].clamp(-1, 1), edge[..., :3].clamp(-1, 1)
    R = _rotation(view_turn) @ state.R
    focal = state.focal * view[..., 6].clamp(-1, 1).exp()
    old = state.world_edge
    turn_back = _rotation(-edge_turn)
    shrink = (-edge[..., 3].clamp(-1, 1)).exp()
    t = shrink[..., None] * (turn_back @ (old.t - edge[..., 4:])[..., None])[..., 0]
    moved_edge = Similarity(old.scale * shrink, turn_back @ old.R, t)
    return AlignmentState(R, state.t + view[..., 3:6], focal, state.depth.clone(), moved_edge)
