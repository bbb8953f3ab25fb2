"""A request for refinement as data: what request files and messages both turn into, checked before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from interpose_ros.contact.body_model import BodyModel
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import (
    ConstraintOrigin,
    Contact,
    ContactConstraints,
    ContactEnd,
    ContactSample,
)
from interpose_ros.contact.contact_term import Floor
from interpose_ros.contact.joints_fit import NamedJoint, fit_joints
from interpose_ros.contact.refine import EstimatedPerson, Keypoints
from interpose_ros.contact.regions import GROUND
from interpose_ros.contact.rig import BodyParameters, rotation_exp

Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[list[Number], Field(min_length=3, max_length=3)]
_DEFAULT_JOINT_STDDEV = 0.03
_FARTHEST = 1000.0


class UnknownBodyModel(ValueError):
    """The request names a body model that is not configured."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JointRequest(_Strict):
    """A measured joint: position and its covariance in the camera's frame, in metres."""

    position: Vector
    covariance: Annotated[list[Vector], Field(min_length=3, max_length=3)] | None = None

    def named_joint(self) -> NamedJoint:
        """The joint; without covariance its standard deviation is 3 cm."""
        covariance = np.eye(3) * _DEFAULT_JOINT_STDDEV**2 if self.covariance is None else np.array(self.covariance)
        return NamedJoint(np.array(self.position), covariance)


class BodyRequest(_Strict):
    """A body: parameters of a model, or named joints; in the camera's frame (x right, y down, z forward)."""

    model: str = "anny"
    translation: Vector | None = None
    rotations: dict[str, Vector] = {}
    shape: dict[str, Number] = {}
    joints: dict[str, JointRequest] = {}
    keypoints: dict[str, Vector] = {}

    @model_validator(mode="after")
    def _one_of_both(self) -> BodyRequest:
        if self.joints and (self.translation is not None or self.rotations or self.shape):
            raise ValueError("a body is given by parameters or by joints, not by both")
        if not self.joints and self.translation is None:
            raise ValueError("a body needs parameters (translation, rotations, shape) or joints")
        return self


class ContactEndRequest(_Strict):
    """One end of a contact; the ground has no body."""

    body: int | None = None
    part: str
    side: str | None = None

    def end(self) -> ContactEnd:
        """The end; unknown parts raise ValueError."""
        if self.part == GROUND:
            return ContactEnd(-1, GROUND, self.side)
        if self.body is None:
            raise ValueError(f"the contact of {self.part!r} names no body")
        return ContactEnd(self.body, self.part, self.side)


class ContactRequest(_Strict):
    """Two parts that touch."""

    first: ContactEndRequest
    second: ContactEndRequest
    weight: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1.0


class FloorRequest(_Strict):
    """Plane ``normal . p = height`` in the camera's frame, the normal upward."""

    normal: Vector
    height: Number

    @field_validator("normal")
    @classmethod
    def _has_length(cls, value: list[float]) -> list[float]:
        if math.hypot(*value) < 1e-6:
            raise ValueError("the floor's normal has no length")
        return value


class RefineRequest(_Strict):
    """One or two bodies, what is known to touch, and the camera."""

    bodies: list[BodyRequest]
    contacts: list[ContactRequest] = []
    order_open: bool = False
    intrinsics: Annotated[list[Number], Field(min_length=4, max_length=4)] | None = None
    floor: FloorRequest | None = None
    refinement: RefinementConfig = RefinementConfig()

    @field_validator("bodies")
    @classmethod
    def _one_or_two(cls, value: list[BodyRequest]) -> list[BodyRequest]:
        if len(value) not in (1, 2):
            raise ValueError(f"{len(value)} people; contact refinement takes one or two")
        return value

    def constraints(self) -> ContactConstraints:
        """The contacts of the request: those of equal weight hold together.

        Raises:
            ValueError: an unknown part, a side that a part has not, or a body that is not there.
        """
        by_weight: dict[float, list[Contact]] = {}
        for contact in self.contacts:
            ends = (contact.first.end(), contact.second.end())
            for end in ends:
                if end.body >= len(self.bodies):
                    raise ValueError(f"a contact names body {end.body}; there are {len(self.bodies)}, counted from 0")
            if ends[0].part == GROUND:
                ends = (ends[1], ends[0])
            by_weight.setdefault(contact.weight, []).append(Contact(*ends))
        open_order = self.order_open and len(self.bodies) == 2
        samples = tuple(ContactSample(tuple(some), weight, open_order) for weight, some in by_weight.items())
        if any(c.second.part == GROUND for s in samples for c in s.contacts) and self.floor is None:
            raise ValueError("a contact names the ground, but no floor plane is given")
        return ContactConstraints(samples, ConstraintOrigin.REQUEST)

    def floor_plane(self) -> Floor | None:
        """The floor with a normal of unit length."""
        if self.floor is None:
            return None
        length = math.hypot(*self.floor.normal)
        return Floor(torch.tensor(self.floor.normal, dtype=torch.float64) / length, self.floor.height / length)


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
            joints = {name: joint.named_joint() for name, joint in request.joints.items()}
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
