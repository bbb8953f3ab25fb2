"""A body from named 3D joints: what planners hold where they hold no parameters of a body model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from interpose_ros.contact.body_model import BodyModel, landmarks, neutral_body
from interpose_ros.contact.body_terms import JointLimits, Joints3D, NearEstimate, Term
from interpose_ros.contact.contact_points import PartPoints
from interpose_ros.contact.rig import BodyParameters
from interpose_ros.contact.scene import Person, Scene
from interpose_ros.contact.solver import solve

_LEAST_JOINTS = 6
_UNKNOWN_POSE_STDDEV = 0.6


@dataclass(frozen=True, eq=False)
class NamedJoint:
    """One measured joint.

    Attributes:
        position: in metres.
        covariance: of the position, in square metres.
    """

    position: Float[np.ndarray, "3"]
    covariance: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, eq=False)
class FittedBody:
    """A body fitted to joints.

    Attributes:
        body: the one body.
        residual: root mean square distance of the given joints to the body's, in metres.
    """

    body: BodyParameters
    residual: float


def fit_joints(
    model: BodyModel,
    joints: Mapping[str, NamedJoint],
    iterations: int = 60,
    out_of_time: Callable[[], bool] = lambda: False,
) -> FittedBody:
    """Fit a body to named joints, each weighted by its covariance.

    What the joints leave open (twists, hands, stoutness) stays near an average person at ease.

    Args:
        model: of the body.
        joints: by landmark name; at least six that do not lie on a line.
        iterations: at most.
        out_of_time: asked before every iteration; the best so far is the answer then, at worst a person at ease, turned
            to the joints.

    Raises:
        ValueError: an unknown joint, too few, numbers that are not finite, or a covariance that is none.
    """
    if len(joints) < _LEAST_JOINTS:
        raise ValueError(f"{len(joints)} joints; at least {_LEAST_JOINTS} are needed to fit a body")
    names = tuple(joints)
    unknown = [name for name in names if name not in model.landmark_names]
    if unknown:
        raise ValueError(
            f"body model {model.name} has no joint {unknown[0]!r}; it has {', '.join(model.landmark_names)}"
        )
    for name, joint in joints.items():
        if not np.all(np.isfinite(joint.position)):
            raise ValueError(f"joint {name!r} has a position that is not finite: {joint.position.tolist()}")
        covariance = joint.covariance
        if not np.all(np.isfinite(covariance)) or np.linalg.eigvalsh((covariance + covariance.T) / 2).min() <= 0:
            raise ValueError(f"joint {name!r} needs a positive definite covariance, got {covariance.tolist()}")
    positions = torch.as_tensor(np.stack([joint.position for joint in joints.values()]), dtype=torch.float64)
    spread = torch.linalg.svdvals(positions - positions.mean(0))
    if float(spread[1]) < 0.02:
        raise ValueError("the joints lie on a line or at a point; a body cannot be turned to them")
    covariances = torch.as_tensor(np.stack([joint.covariance for joint in joints.values()]), dtype=torch.float64)

    neutral = neutral_body(model)
    start = _turned_to(model, neutral, names, positions)
    count = len(model.skeleton.free_joints)
    stddev = torch.full((count,), _UNKNOWN_POSE_STDDEV, dtype=torch.float64)
    stddev[0] = 10.0
    terms: list[Term] = [
        NearEstimate(0, start, torch.eye(3, dtype=torch.float64) * 1e-4, stddev, model.shape_space.stddev),
        JointLimits(0),
        Joints3D(0, positions, torch.linalg.inv(covariances)),
    ]
    person = Person(model, PartPoints(torch.zeros(0, dtype=torch.long), {}), names)
    free = torch.ones(person.layout.size, dtype=torch.bool)
    body = start
    for _ in range(2):  # the shape is linearised anew once
        scene = Scene([person], [body], with_hull=False)
        solution = solve(scene, [body], terms, free, iterations, tolerance=1e-4, out_of_time=out_of_time)
        body = solution.best()[0]
        if solution.stopped:
            break
    distance = (landmarks(model, body, names)[0] - positions).norm(dim=1)
    return FittedBody(body, float((distance**2).mean().sqrt()))


def _turned_to(
    model: BodyModel, neutral: BodyParameters, names: tuple[str, ...], positions: torch.Tensor
) -> BodyParameters:
    """The neutral body, rigidly moved to the joints; those of the torso count most, as limbs may point anywhere."""
    own = landmarks(model, neutral, names)[0]
    limbs = ("elbow", "wrist", "hand", "knee", "ankle", "toe", "heel")
    weights = torch.tensor([0.05 if name.endswith(limbs) else 1.0 for name in names], dtype=torch.float64)[:, None]
    centre, own_centre = (weights * positions).sum(0) / weights.sum(), (weights * own).sum(0) / weights.sum()
    U, _, Vh = torch.linalg.svd((positions - centre).T @ (weights * (own - own_centre)))
    sign = torch.ones(3, dtype=torch.float64)
    sign[2] = torch.linalg.det(U @ Vh)
    R = (U * sign) @ Vh
    rotations = neutral.rotations.clone()
    rotations[0, 0] = R
    return BodyParameters((centre - R @ own_centre)[None], rotations, neutral.shape)
