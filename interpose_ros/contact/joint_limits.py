"""How far the joints of a person turn, for any model that knows its bones' directions.

Ranges are wide, those of agile people: they keep elbows and knees from bending backward, not dancers from dancing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from interpose_ros.contact.body_model import ModelAxes

_WIDE = 3.0
_STRAIGHT = 0.35
# Range of a rotation vector (radians) along the person's left, up and forward, by the start of the joint's name.
_RANGES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "root": ((-10.0, 10.0), (-10.0, 10.0), (-10.0, 10.0)),
    "spine": ((-0.5, 0.8), (-0.5, 0.5), (-0.5, 0.5)),
    "neck": ((-0.8, 0.8), (-0.9, 0.9), (-0.6, 0.6)),
    "head": ((-0.7, 0.7), (-0.9, 0.9), (-0.6, 0.6)),
    "clavicle": ((-0.5, 0.5), (-0.6, 0.6), (-0.6, 0.6)),
    "upperarm01": ((-_WIDE, _WIDE), (-_WIDE, _WIDE), (-_WIDE, _WIDE)),
    "wrist": ((-1.4, 1.4), (-1.4, 1.4), (-1.4, 1.4)),
    "upperleg01": ((-2.6, 0.8), (-1.3, 1.3), (-1.2, 1.2)),
    "lowerleg01": ((-0.1, 2.6), (-0.6, 0.6), (-0.25, 0.25)),
    "foot": ((-0.9, 0.9), (-0.7, 0.7), (-0.7, 0.7)),
}
_ELBOW_STRAIGHTENS, _ELBOW_BENDS, _ELBOW_SIDEWAYS, _FOREARM_TWISTS = 0.1, 2.65, 0.3, 1.7


def limits_of(
    joints: Sequence[str], directions: Mapping[str, torch.Tensor], axes: ModelAxes
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Axes (j 3 3, rows), low and high (j 3) of the limits.

    Args:
        joints: names, as in Anny's rig.
        directions: of each joint's bone in the reference pose, in model coordinates.
        axes: of the model.
    """
    frames, low, high = [], [], []
    for joint in joints:
        name, _, side = joint.partition(".")
        if name == "lowerarm01":
            upper, along = (v / v.norm() for v in (directions[f"upperarm01.{side}"], directions[joint]))
            # The hinge stands across upper arm and forearm; a straight arm bends forward.
            hinge = torch.linalg.cross(upper, along)
            bent = float(torch.atan2(hinge.norm(), upper @ along))
            if bent < _STRAIGHT:
                hinge = torch.linalg.cross(along, axes.forward)
            hinge = hinge - (hinge @ along) * along
            hinge = hinge / hinge.norm()
            frames.append(torch.stack([hinge, along, torch.linalg.cross(hinge, along)]))
            low.append([-bent - _ELBOW_STRAIGHTENS, -_FOREARM_TWISTS, -_ELBOW_SIDEWAYS])
            high.append([_ELBOW_BENDS - bent, _FOREARM_TWISTS, _ELBOW_SIDEWAYS])
            continue
        frames.append(torch.stack([axes.left, axes.up, axes.forward]))
        ranges = next((r for start, r in _RANGES.items() if name.startswith(start)), ((-_WIDE, _WIDE),) * 3)
        low.append([r[0] for r in ranges])
        high.append([r[1] for r in ranges])
    return torch.stack(frames), torch.tensor(low, dtype=torch.float64), torch.tensor(high, dtype=torch.float64)
