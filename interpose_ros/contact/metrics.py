"""How good refined bodies are, where the truth is known. Measures as in ProsePose (arXiv 2405.03689)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from interpose_ros.contact.body_model import BodyModel, landmarks
from interpose_ros.contact.constraints import ContactEnd
from interpose_ros.contact.penetration import winding_number
from interpose_ros.contact.rig import BodyParameters

RADII = np.arange(0.0, 1.0, 0.05)
# Twelve joints of the limbs, neck and head: as many as the H36M regressor of the paper gives.
COMPARED = (
    *(
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
    "neck",
    "head",
)


def joint_positions(model: BodyModel, bodies: Sequence[BodyParameters]) -> Float[np.ndarray, "n 3"]:
    """The compared joints of all bodies, one after the other."""
    return np.concatenate([landmarks(model, body, COMPARED)[0].numpy() for body in bodies])


def pa_mpjpe(estimate: Float[np.ndarray, "n 3"], truth: Float[np.ndarray, "n 3"]) -> float:
    """Mean distance of joints after one similarity for all of them (of both persons together), in metres."""
    a, b = estimate - estimate.mean(0), truth - truth.mean(0)
    U, singular, Vt = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
    R = (U * sign) @ Vt
    scale = float((singular * sign).sum() / np.sum(a**2))
    return float(np.linalg.norm(scale * a @ R - b, axis=1).mean())


def contact_distances(
    model: BodyModel, vertices: Sequence[Float[torch.Tensor, "v 3"]], touching: Sequence[tuple[ContactEnd, ContactEnd]]
) -> Float[np.ndarray, "c"]:
    """How far apart the parts are that ought to touch, in metres, over all their vertices."""
    regions = model.regions()
    result = []
    for first, second in touching:
        a, b = vertices[first.body][regions[first.part]], vertices[second.body][regions[second.part]]
        result.append(float(torch.cdist(a, b).min()))
    return np.array(result)


def correct_contacts(distances: Float[np.ndarray, "c"], radius: float) -> float:
    """Percentage of contacts closer than a radius (PCC)."""
    return float(100.0 * np.mean(distances < radius))


def mean_correct_contacts(distances: Float[np.ndarray, "c"]) -> float:
    """PCC, averaged over the radii from 0 to 0.95 m."""
    return float(np.mean([correct_contacts(distances, radius) for radius in RADII]))


def deepest_penetration(model: BodyModel, vertices: Sequence[Float[torch.Tensor, "v 3"]]) -> float:
    """Deepest that a vertex of one body's coarse mesh lies inside the other's, in metres; 0 for one body."""
    if len(vertices) < 2:
        return 0.0
    hulls = [v[model.hull_vertices] for v in vertices]
    deepest = 0.0
    for mine, other in ((0, 1), (1, 0)):
        low, high = hulls[other].amin(0), hulls[other].amax(0)
        near = hulls[mine][((hulls[mine] > low) & (hulls[mine] < high)).all(1)]
        inside = near[winding_number(near, hulls[other], model.hull_faces) > 0.9]
        if len(inside):
            deepest = max(deepest, float(torch.cdist(inside, vertices[other]).min(1).values.max()))
    return deepest


def relative_root_error(bodies: Sequence[BodyParameters], truth: Sequence[BodyParameters]) -> float:
    """Error of the vector between the persons' roots, in metres; NaN for one person."""
    if len(bodies) < 2:
        return float("nan")
    found = bodies[1].translation - bodies[0].translation
    return float((found - (truth[1].translation - truth[0].translation)).norm())
