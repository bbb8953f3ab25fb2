"""A request for refinement as data: what request files and messages both turn into, checked before anything is computed."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from interpose_ros.contact.body_parts import GROUND
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import (
    ConstraintOrigin,
    Contact,
    ContactConstraints,
    ContactEnd,
    ContactSample,
)

Number = Annotated[float, Field(allow_inf_nan=False)]
Vector = Annotated[list[Number], Field(min_length=3, max_length=3)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JointRequest(_Strict):
    """A measured joint: position and its covariance in the camera's frame, in metres; without one its deviation is 3 cm."""

    position: Vector
    covariance: Annotated[list[Vector], Field(min_length=3, max_length=3)] | None = None


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


def first_error(error: ValidationError) -> str:
    """What is wrong with a request's form, and where, in one line."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
