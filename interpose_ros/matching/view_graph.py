"""Views linked by verified matches, rotations averaged over the links, and the strength of the path from first to last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.geometry.se3 import rotation_exp, rotation_log
from interpose_ros.matching.store import VerifiedPair
from interpose_ros.matching.two_view import TwoViewGeometry
from interpose_ros.refusal import Refusal


@dataclass(frozen=True, eq=False)
class Link:
    """Verified matches between view ``i`` and view ``j``, with ``i < j``; the pair's a is i, its b is j."""

    i: int
    j: int
    pair: VerifiedPair
    geometry: TwoViewGeometry

    @classmethod
    def between(cls, i: int, j: int, pair: VerifiedPair, min_inliers: int) -> Link | None:
        """The link of two views; None where too few matches are verified."""
        if isinstance(pair.geometry, Refusal) or pair.inlier_count < min_inliers:
            return None
        return cls(i, j, pair, pair.geometry)

    @property
    def strength(self) -> int:
        """Verified matches."""
        return self.pair.inlier_count


@dataclass(frozen=True, eq=False)
class Bridge:
    """The path from first to last view whose weakest link is strongest.

    Attributes:
        links: in order along the path.
        weakest: the link with the fewest verified matches.
    """

    links: tuple[Link, ...]
    weakest: Link


def strongest_bridge(count: int, links: list[Link]) -> Bridge | None:
    """Widest path from view 0 to view ``count - 1``; None where none exists (Dijkstra on the bottleneck)."""
    best = np.zeros(count)
    best[0] = np.inf
    came_by: list[tuple[int, Link] | None] = [None] * count
    open_views = set(range(count))
    while open_views:
        view = max(open_views, key=lambda v: best[v])
        open_views.remove(view)
        if best[view] == 0:
            break
        for link in links:
            if view not in (link.i, link.j):
                continue
            other = link.j if link.i == view else link.i
            width = min(best[view], float(link.strength))
            if width > best[other]:
                best[other], came_by[other] = width, (view, link)
    path: list[Link] = []
    view = count - 1
    while view != 0:
        step = came_by[view]
        if step is None:
            return None
        view = step[0]
        path.append(step[1])
    path.reverse()
    return Bridge(tuple(path), min(path, key=lambda link: link.strength))


def average_rotations(
    count: int, links: list[Link], max_disagreement: float
) -> tuple[Float[np.ndarray, "n 3 3"], list[Link]]:
    """Rotations ``R_i_w`` of all views from the links, and the links that agree with them.

    Starts at the maximum spanning tree, then takes robust (Geman-McClure) Gauss-Newton steps on the rotation vectors.
    Views that no link reaches from view 0 are NaN.
    Source: Chatterjee and Govindu, "Efficient and robust large-scale rotation averaging", ICCV 2013.
    """
    R = np.full((count, 3, 3), np.nan)
    R[0] = np.eye(3)
    while True:
        # Prim's algorithm: the strongest link from a placed view to one that is not placed yet.
        border = [link for link in links if np.isfinite(R[link.i, 0, 0]) != np.isfinite(R[link.j, 0, 0])]
        if not border:
            break
        link = max(border, key=lambda item: item.strength)
        if np.isfinite(R[link.i, 0, 0]):
            R[link.j] = link.geometry.R_b_a @ R[link.i]
        else:
            R[link.i] = link.geometry.R_b_a.T @ R[link.j]
    usable = [link for link in links if np.isfinite(R[link.i, 0, 0])]
    reached = np.isfinite(R[:, 0, 0])
    for _ in range(30):
        information, gradient = np.eye(3 * count) * 1e-9, np.zeros(3 * count)
        for link in usable:
            residual = rotation_log(link.geometry.R_b_a @ R[link.i] @ R[link.j].T)
            angle = float(np.linalg.norm(residual))
            weight = link.strength / (1.0 + (angle / np.deg2rad(2.0)) ** 2) ** 2
            # residual ~ log(R_ji R_i R_j^T); left steps exp(d_i) R_i and exp(d_j) R_j change it by R_ji d_i - d_j.
            J_i, J_j = link.geometry.R_b_a, -np.eye(3)
            si, sj = slice(3 * link.i, 3 * link.i + 3), slice(3 * link.j, 3 * link.j + 3)
            for s, J in ((si, J_i), (sj, J_j)):
                gradient[s] -= weight * J.T @ residual
                information[s, si] += weight * J.T @ J_i
                information[s, sj] += weight * J.T @ J_j
        # View 0 is the frame of reference.
        information[:3, :], information[:, :3], gradient[:3] = 0.0, 0.0, 0.0
        information[:3, :3] = np.eye(3)
        step = np.linalg.solve(information, gradient).reshape(count, 3)
        step[~reached] = 0.0
        R[reached] = rotation_exp(step[reached]) @ R[reached]
        if np.abs(step).max() < 1e-9:
            break
    agreeing = [
        link
        for link in usable
        if float(rotation_distance(link.geometry.R_b_a @ R[link.i], R[link.j])) < max_disagreement
    ]
    return R, agreeing


def loop_residual(links: list[Link]) -> float:
    """Median rotation in radians that is left over around triangles of links; NaN without a triangle."""
    rotations = {(link.i, link.j): link.geometry.R_b_a for link in links}
    residuals = []
    for (i, j), R_j_i in rotations.items():
        for (other, k), R_k_j in rotations.items():
            if other == j and (i, k) in rotations:
                residuals.append(float(rotation_distance(R_k_j @ R_j_i, rotations[i, k])))
    return float(np.median(residuals)) if residuals else float("nan")
