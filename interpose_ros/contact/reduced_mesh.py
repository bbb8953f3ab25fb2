"""A coarse mesh on some of a mesh's own vertices."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra


def reduced_mesh(
    vertices: Float[torch.Tensor, "v 3"], faces: Int[torch.Tensor, "f 3"], count: int
) -> tuple[Int[torch.Tensor, "h"], Int[torch.Tensor, "g 3"]]:
    """Vertices spread over a mesh, and the triangles that join those whose neighbourhoods meet.

    Every vertex belongs to the chosen one that is nearest along the edges; where three neighbourhoods meet in a face, the
    coarse mesh has a triangle of the same orientation (the dual of a geodesic Voronoi diagram).

    Returns:
        Chosen vertices, and triangles counted within them.
    """
    corners = faces.numpy()
    edges = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    lengths = (vertices[edges[:, 0]] - vertices[edges[:, 1]]).norm(dim=1).numpy()
    graph = coo_matrix((np.maximum(lengths, 1e-9), (edges[:, 0], edges[:, 1])), shape=(len(vertices),) * 2).tocsr()
    chosen = [int(corners[0, 0])]
    distance = (vertices - vertices[chosen[0]]).norm(dim=1)
    while len(chosen) < min(count, len(vertices)):
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (vertices - vertices[chosen[-1]]).norm(dim=1))
    _, _, source = dijkstra(graph, directed=False, indices=chosen, min_only=True, return_predecessors=True)
    place = np.full(len(vertices), -1)
    place[chosen] = np.arange(len(chosen))
    owners = place[source][corners]
    owners = owners[(owners >= 0).all(axis=1)]
    different = (owners[:, 0] != owners[:, 1]) & (owners[:, 1] != owners[:, 2]) & (owners[:, 2] != owners[:, 0])
    triangles = owners[different]
    first = triangles.argmin(axis=1)
    turned = np.stack([triangles[np.arange(len(triangles)), (first + k) % 3] for k in range(3)], axis=1)
    return torch.tensor(chosen), torch.as_tensor(np.unique(turned, axis=0))
