"""Bodies do not go through each other: depth of points of one coarse mesh below the surface of the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from interpose_ros.contact.scene import NormalEquations, PersonState, Scene


@dataclass(frozen=True, eq=False)
class PenetrationTerm:
    """Squared depth beyond what soft tissue gives way.

    The depth of a point is measured along the normal of the nearest vertex of the other body's coarse mesh; a point farther
    from it than ``reach`` is no neighbour, so that thin parts are not mistaken for the far side of thick ones.

    Attributes:
        tolerance: metres that bodies may overlap.
        stddev: metres beyond it that count as one standard deviation.
        weight: of each point.
        reach: metres.
        most_points: deepest points per body that are counted.
    """

    tolerance: float = 0.01
    stddev: float = 0.02
    weight: float = 1.0
    reach: float = 0.2
    most_points: int = 96

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """See `Term`."""
        if len(state) < 2:
            return torch.zeros(len(state[0].body), dtype=torch.float64)
        total = torch.zeros(len(state[0].body), dtype=torch.float64)
        for mine, other in ((0, 1), (1, 0)):
            excess = self._deepest(scene, state, mine, other)[0]
            total += 0.5 * self.weight * (excess**2).sum(1) / self.stddev**2
        return total

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """See `Term`."""
        if len(state) < 2:
            return
        for mine, other in ((0, 1), (1, 0)):
            excess, points, nearest, direction = self._deepest(scene, state, mine, other)
            if not bool((excess > 0).any()):
                continue
            derivatives = []
            for person, chosen in ((mine, points), (other, nearest)):
                one = state[person]
                moved = scene.persons[person].layout.point_derivatives(one.posed, one.surface_points, chosen)
                derivatives.append((direction[:, :, None] @ moved)[:, :, 0])
            weights = (excess > 0).double() * self.weight / self.stddev**2
            normal.add(excess, weights, [(scene.slices[mine], -derivatives[0]), (scene.slices[other], derivatives[1])])

    def _deepest(
        self, scene: Scene, state: list[PersonState], mine: int, other: int
    ) -> tuple[
        Float[torch.Tensor, "b m"], Int[torch.Tensor, "b m"], Int[torch.Tensor, "b m"], Float[torch.Tensor, "b m 3"]
    ]:
        """Depth beyond the tolerance, the point, the nearest vertex of the other body, and the normal there."""
        first = [len(scene.persons[p].parts.vertices) for p in (mine, other)]
        depth, nearest, normals = hull_depth(
            state[mine].surface[:, first[0] :],
            state[other].surface[:, first[1] :],
            scene.persons[other].model.hull_faces,
            self.reach,
        )
        excess = torch.relu(depth - self.tolerance)
        value, index = excess.topk(min(self.most_points, excess.shape[1]), dim=1)
        batch = torch.arange(len(excess))[:, None]
        at = nearest[batch, index]
        return value, index + first[0], at + first[1], normals[batch, at]


def hull_depth(
    points: Float[torch.Tensor, "b n 3"],
    hull: Float[torch.Tensor, "b h 3"],
    faces: Int[torch.Tensor, "g 3"],
    reach: float,
) -> tuple[Float[torch.Tensor, "b n"], Int[torch.Tensor, "b n"], Float[torch.Tensor, "b h 3"]]:
    """Depth of points below a mesh (0 outside), the nearest vertex (0 where none is near), and the vertices' normals."""
    normals = vertex_normals(hull, faces)
    depth = torch.zeros(points.shape[:2], dtype=points.dtype)
    nearest = torch.zeros(points.shape[:2], dtype=torch.long)
    for item in range(len(points)):
        low, high = hull[item].amin(0), hull[item].amax(0)
        inside = torch.nonzero(((points[item] > low) & (points[item] < high)).all(1))[:, 0]
        if len(inside) == 0:
            continue
        # Only vertices near the points can be the nearest.
        low, high = points[item, inside].amin(0) - reach, points[item, inside].amax(0) + reach
        targets = torch.nonzero(((hull[item] > low) & (hull[item] < high)).all(1))[:, 0]
        if len(targets) == 0:
            continue
        distance, index = torch.cdist(points[item, inside], hull[item, targets]).min(1)
        at = targets[index]
        below = ((hull[item, at] - points[item, inside]) * normals[item, at]).sum(-1)
        depth[item, inside] = torch.where(distance < reach, below, torch.zeros_like(below)).clamp(min=0)
        nearest[item, inside] = at
    return depth, nearest, normals


def vertex_normals(
    vertices: Float[torch.Tensor, "b h 3"], faces: Int[torch.Tensor, "g 3"]
) -> Float[torch.Tensor, "b h 3"]:
    """Unit normals, each the mean of the faces around the vertex by their area."""
    corners = vertices[:, faces]
    of_face = torch.linalg.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0])
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, faces[:, corner], of_face)
    return total / total.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def winding_number(
    points: Float[torch.Tensor, "n 3"], vertices: Float[torch.Tensor, "h 3"], faces: Int[torch.Tensor, "g 3"]
) -> Float[torch.Tensor, "n"]:
    """How often a closed mesh goes round each point: 1 inside, 0 outside (van Oosterom and Strackee, 1983)."""
    result = []
    for some in points.split(256):
        a, b, c = (vertices[faces[:, k]] - some[:, None] for k in range(3))
        la, lb, lc = (v.norm(dim=-1) for v in (a, b, c))
        triple = (a * torch.linalg.cross(b, c)).sum(-1)
        below = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        result.append(2 * torch.atan2(triple, below).sum(-1) / (4 * torch.pi))
    return torch.cat(result) if result else points.new_zeros(0)
