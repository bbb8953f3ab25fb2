"""What a caller gets, as plain numbers: for messages, for JSON, and to travel between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from jaxtyping import Float

from interpose_ros.contact.constraints import ConstraintOrigin, ContactReport


class ContactCode(str, Enum):
    """How a request ended."""

    SUCCESS = "success"
    DEADLINE = "deadline"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_MODEL = "unknown_model"
    MODEL_MISSING = "model_missing"
    NO_CONSTRAINTS = "no_constraints"
    LANGUAGE_MODEL = "language_model"


@dataclass(frozen=True, eq=False)
class RefinedBody:
    """A body by the parameters of its model, in the camera's frame (x right, y down, z forward), in metres.

    Attributes:
        model: its name.
        translation: of the root.
        rotations: rotation vector of every joint, in radians.
        shape: every parameter of the shape.
        T_camera_body: its frame by REP 155: at the middle of the hips, x forward, z to the head.
        triangles: corners of a coarse closed mesh.
    """

    model: str
    translation: Float[np.ndarray, "3"]
    rotations: Mapping[str, Float[np.ndarray, "3"]]
    shape: Mapping[str, float]
    T_camera_body: Float[np.ndarray, "4 4"]
    triangles: Float[np.ndarray, "t 3 3"]


@dataclass(frozen=True, eq=False)
class ContactResult:
    """What a caller gets.

    Attributes:
        code: SUCCESS, or DEADLINE with the best so far; otherwise there are no bodies.
        text: a sentence.
        seconds: by stage.
        bodies: refined, one for each of the request.
        origin: who said what touches; None where there are no bodies.
        contacts: that were used, sides and persons settled, with distances before and after.
        losses_before, losses_after: by term.
    """

    code: ContactCode
    text: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    bodies: tuple[RefinedBody, ...] = ()
    origin: ConstraintOrigin | None = None
    contacts: tuple[ContactReport, ...] = ()
    losses_before: Mapping[str, float] = field(default_factory=dict)
    losses_after: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As JSON; without the meshes and frames, which follow from the rest."""
        result: dict[str, Any] = {"code": self.code.value, "text": self.text, "seconds": dict(self.seconds)}
        if self.origin is None:
            return result
        result["constraints_from"] = self.origin.value
        result["bodies"] = [
            {
                "model": body.model,
                "translation": body.translation.tolist(),
                "rotations": {name: vector.tolist() for name, vector in body.rotations.items()},
                "shape": dict(body.shape),
            }
            for body in self.bodies
        ]
        result["contacts"] = [
            {
                **{
                    key: {"body": end.body, "part": end.part, "side": end.side}
                    for key, end in (("first", c.contact.first), ("second", c.contact.second))
                },
                "weight": c.weight,
                "distance_before_m": c.before,
                "distance_after_m": c.after,
            }
            for c in self.contacts
        ]
        result["losses"] = {"before": dict(self.losses_before), "after": dict(self.losses_after)}
        return result
