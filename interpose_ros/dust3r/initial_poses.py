"""First poses of all views of a subset, by chaining pairwise similarities along trees of edges."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from torch import Tensor

from interpose_ros.dust3r.alignment_batch import AlignmentBatch
from interpose_ros.dust3r.procrustes import Similarity, robust_similarity

Tree = list[tuple[int, int]]
"""(parent, child) pairs in an order in which every parent is placed before its children; the root is view 0."""


_LEAST_LOOP_ERROR = 1e-3
"""Keeps a perfect link from looking like none."""


def connected_views(edge_score: np.ndarray, edges: np.ndarray, n: int) -> np.ndarray:
    """Which of the ``n`` views are linked to view 0 by edges with both orders usable: ``(n,)`` bool."""
    strength = symmetric_strength(edge_score, edges, n)
    _, labels = connected_components(csr_matrix(strength), directed=False)
    return labels == labels[0]


def symmetric_strength(edge_score: np.ndarray, edges: np.ndarray, n: int) -> np.ndarray:
    """``(n, n)`` strength of the link between two views: the weaker of both orders."""
    directed = np.zeros((n, n))
    directed[edges[:, 0], edges[:, 1]] = edge_score
    return np.minimum(directed, directed.T)


def candidate_trees(strength: np.ndarray, loop_error: np.ndarray) -> list[Tree]:
    """The maximum spanning tree, that of the links that close loops best, and around each view that of fewest steps.

    A wrong edge with high confidence is in the first for certain, but not in all of these.
    """
    n = len(strength)
    with np.errstate(divide="ignore"):
        costs = 1.0 / strength, loop_error + _LEAST_LOOP_ERROR
    trees = [_spanning(np.where(strength > 0, cost, 0.0)) for cost in costs]
    for centre in range(n):
        trees.append(_rooted(_fewest_steps(strength, centre)))
    unique: list[Tree] = []
    for tree in trees:
        if tree not in unique:
            unique.append(tree)
    return unique


def loop_errors(similarities: Similarity, edges: Tensor, n: int) -> Tensor:
    """How well the link of two views agrees with a detour over a third one, ``(s, n, n)`` radians, over the best third.

    A right link agrees with some detour. A wrong one agrees with none, unless two are wrong in the same way. Without a
    third view all are zero.
    """
    if n < 3:
        return torch.zeros(len(similarities.R), n, n).to(similarities.R)
    R = torch.eye(3).to(similarities.R).repeat(len(similarities.R), n, n, 1, 1)
    R[:, edges[:, 0], edges[:, 1]] = similarities.R
    # Index order: scene, i, k, j. The detour from j over k to i, against the straight way.
    detour = R[:, :, :, None] @ R[:, None]
    cosine = 0.5 * ((detour * R[:, :, None]).sum((-1, -2)) - 1.0)
    angle = torch.arccos(cosine.clamp(-1.0, 1.0))
    index = torch.arange(n, device=R.device)
    is_end = (index[None, :, None] == index[:, None, None]) | (index[None, :, None] == index[None, None, :])
    best = torch.where(is_end, torch.inf, angle).amin(dim=2)
    return 0.5 * (best + best.transpose(-1, -2))


def _spanning(cost: np.ndarray) -> Tree:
    """The tree of least cost; zero means no link."""
    linked = minimum_spanning_tree(csr_matrix(cost)).toarray() > 0
    return _rooted(linked | linked.T)


def _fewest_steps(strength: np.ndarray, centre: int) -> np.ndarray:
    n = len(strength)
    linked = np.zeros((n, n), dtype=bool)
    reached = {centre}
    while len(reached) < n:
        new = {}
        for child in set(range(n)) - reached:
            parents = sorted(p for p in reached if strength[p, child] > 0)
            if parents:
                new[child] = parents[int(np.argmax(strength[parents, child]))]
        if not new:
            break
        for child, parent in new.items():
            linked[child, parent] = linked[parent, child] = True
        reached |= new.keys()
    return linked


def _rooted(linked: np.ndarray) -> Tree:
    tree: Tree = []
    placed = [0]
    for parent in placed:
        for child in np.flatnonzero(linked[parent]):
            if int(child) not in placed:
                tree.append((parent, int(child)))
                placed.append(int(child))
    return tree


def pairwise_similarities(batch: AlignmentBatch) -> Similarity:
    """Per edge (i, j), the map from view j's frame into view i's, each in its own canonical unit: ``(s, e)``.

    The second map of (i, j) and the first map of (j, i) show the same pixels in both frames.
    """
    index = {tuple(edge): k for k, edge in enumerate(batch.edges.tolist())}
    opposite = [index[j, i] for i, j in batch.edges.tolist()]
    second, own = batch.points[:, :, 1], batch.points[:, opposite, 0]
    weights = torch.sqrt(batch.weights[:, :, 1] * batch.weights[:, opposite, 0])
    unit = canonical_units(batch)
    similarity = robust_similarity(own, second, weights)
    # From edge units to canonical units on both sides.
    scale = similarity.scale * unit / unit[:, opposite]
    return Similarity(scale, similarity.R, similarity.t * unit[..., None])


def canonical_units(batch: AlignmentBatch) -> Tensor:
    """Per edge, the factor from its unit to the canonical one of its first view, ``(s, e)``.

    All edges that start at a view show its own map, up to scale and noise; the canonical unit is where they agree best.
    """
    first = batch.edges[:, 0].tolist()
    log_depth = batch.points[:, :, 0].norm(dim=-1).clamp(min=1e-12).log()
    weight = batch.weights[:, :, 0]
    factor = torch.zeros_like(batch.edge_score)
    for i in sorted(set(first)):
        outgoing = [k for k, f in enumerate(first) if f == i]
        depth, w = log_depth[:, outgoing], weight[:, outgoing]
        shift = torch.zeros_like(depth[..., 0])
        for _ in range(3):
            mean = (w * (depth + shift[..., None])).sum(1) / w.sum(1).clamp(min=1e-12)
            difference = torch.where(w > 0, mean[:, None] - depth, torch.nan)
            shift = torch.nan_to_num(difference.nanmedian(-1).values)
        factor[:, outgoing] = shift
    return factor.exp()


def chain(similarities: Similarity, edges: Tensor, tree: list[Tree], n: int) -> Similarity:
    """Poses of all views in view 0's frame, ``(s, n)``, along one tree per scene."""
    index = {tuple(edge): k for k, edge in enumerate(edges.tolist())}
    s = len(tree)
    like = similarities.t
    world = Similarity(
        torch.ones(s, n).to(like), torch.eye(3).to(like).repeat(s, n, 1, 1), torch.zeros(s, n, 3).to(like)
    )
    scenes = torch.arange(s, device=like.device)
    for step in range(n - 1):
        parent = torch.tensor([t[step][0] for t in tree], device=like.device)
        child = torch.tensor([t[step][1] for t in tree], device=like.device)
        edge = torch.tensor([index[t[step]] for t in tree], device=like.device)
        placed = world[scenes, parent] @ similarities[scenes, edge]
        world.scale[scenes, child], world.R[scenes, child], world.t[scenes, child] = placed.scale, placed.R, placed.t
    return world
