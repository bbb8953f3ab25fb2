"""The bodies and the floor of a request, as the refinement takes them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from interpose_ros.contact.body_model import BodyModel
from interpose_ros.contact.contact_term import Floor
from interpose_ros.contact.joints_fit import NamedJoint, fit_joints
from interpose_ros.contact.refine import EstimatedPerson, Keypoints
from interpose_ros.contact.request import BodyRequest, FloorRequest, JointRequest
from interpose_ros.contact.rig import BodyParameters, rotation_exp

_DEFAULT_JOINT_STDDEV = 0.03
_FARTHEST = 1000.0


class UnknownBodyModel(ValueError):
    """The request names a body model that is not configured."""


def floor_plane(floor: FloorRequest) -> Floor:
    """The floor with a normal of unit length."""
    length = math.hypot(*floor.normal)
    return Floor(torch.tensor(floor.normal, dtype=torch.float64) / length, floor.height / length)


def estimated_person(
    request: BodyRequest,
    models: dict[str, BodyModel],
    index: int,
    out_of_time: Callable[[], bool] = lambda: False,
) -> EstimatedPerson:
    """The body of a request; from joints it is fitted first, as far as there is time.

    Raises:
        UnknownBodyModel: its model is not configured.
        ValueError: unknown joints or shape parameters, or a body behind the camera.
    """
    model = models.get(request.model)
    if model is None:
        raise UnknownBodyModel(f"body {index}: model {request.model!r} is not configured; there is {', '.join(models)}")
    try:
        if request.joints:
            joints = {name: _named_joint(joint) for name, joint in request.joints.items()}
            body = fit_joints(model, joints, out_of_time=out_of_time).body
        else:
            body = _from_parameters(request, model)
        keypoints = _keypoints(request, model)
    except ValueError as error:
        raise ValueError(f"body {index}: {error}") from error
    x, y, z = body.translation[0].tolist()
    if z <= 0:
        raise ValueError(f"body {index} is behind the camera: its root lies at ({x:.2f}, {y:.2f}, {z:.2f}) m")
    if math.hypot(x, y, z) > _FARTHEST:
        raise ValueError(f"body {index} is {math.hypot(x, y, z):.0f} m away; positions are metres")
    return EstimatedPerson(model, body, keypoints)


def _named_joint(joint: JointRequest) -> NamedJoint:
    covariance = np.eye(3) * _DEFAULT_JOINT_STDDEV**2 if joint.covariance is None else np.array(joint.covariance)
    return NamedJoint(np.array(joint.position), covariance)


def _from_parameters(request: BodyRequest, model: BodyModel) -> BodyParameters:
    joints, space = model.skeleton.names, model.shape_space
    unknown = [name for name in request.rotations if name not in joints]
    if unknown:
        raise ValueError(f"body model {model.name} has no joint {unknown[0]!r}; it has {', '.join(joints)}")
    unknown = [name for name in request.shape if name not in space.names]
    if unknown:
        raise ValueError(
            f"body model {model.name} has no shape parameter {unknown[0]!r}; it has {', '.join(space.names)}"
        )
    vectors = torch.zeros(1, len(joints), 3, dtype=torch.float64)
    for name, vector in request.rotations.items():
        vectors[0, joints.index(name)] = torch.tensor(vector, dtype=torch.float64)
    shape = space.default[None].clone()
    for name, value in request.shape.items():
        place = space.names.index(name)
        low, high = float(space.low[place]), float(space.high[place])
        if not low <= value <= high:
            raise ValueError(f"shape parameter {name!r} is {value:g}; it lies between {low:g} and {high:g}")
        shape[0, place] = value
    return BodyParameters(torch.tensor([request.translation], dtype=torch.float64), rotation_exp(vectors), shape)


def _keypoints(request: BodyRequest, model: BodyModel) -> Keypoints | None:
    if not request.keypoints:
        return None
    unknown = [name for name in request.keypoints if name not in model.landmark_names]
    if unknown:
        raise ValueError(
            f"body model {model.name} has no key point {unknown[0]!r}; it has {', '.join(model.landmark_names)}"
        )
    values = np.array(list(request.keypoints.values()), dtype=np.float64)
    if values[:, 2].min() < 0 or values[:, 2].max() > 1:
        raise ValueError("confidences of key points lie between 0 and 1")
    return Keypoints(tuple(request.keypoints), values[:, :2], values[:, 2])
