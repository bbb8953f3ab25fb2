"""Scenes of people in contact whose truth is known exactly, and estimates of them as wrong as monocular ones.

The truth has shapes that no fit starts from, random poses, and a skin that is not the model's: a smooth soft-tissue offset.
What touches is measured on that skin (parts closer than 2 cm), not taken from the recipe that brought the people together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from interpose_ros.contact.body_model import COCO_KEYPOINTS, BodyModel, landmarks, mesh, neutral_body
from interpose_ros.contact.body_parts import ATOMS, PAIR_PARTS, SIDED_PARTS, SIDES, SINGLE_PARTS, atoms_of
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import ConstraintOrigin, Contact, ContactConstraints, ContactEnd, ContactSample
from interpose_ros.contact.penetration import vertex_normals
from interpose_ros.contact.refine import EstimatedPerson, Keypoints, refine
from interpose_ros.contact.rig import BodyParameters, rotation_exp, rotation_log

INTRINSICS = (800.0, 800.0, 640.0, 360.0)
TOUCHING = 0.02
_APART = 0.08
_R_CAMERA_MODEL = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
Joints = dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Recipe:
    """How people come together; only the way there, the truth is measured afterwards.

    Attributes:
        places: for each person x, z (metres, relative) and the direction faced (degrees, 90 to the right).
        contacts: that are pulled together.
        joints: rotation vectors of each person's joints to begin with, in model axes.
        ages: of each person on the model's scale; None for any grown-up.
        heights: metres that each person is lifted.
    """

    places: tuple[tuple[float, float, float], ...]
    contacts: tuple[Contact, ...]
    joints: tuple[Joints, ...] = ({}, {})
    ages: tuple[float | None, ...] = (None, None)
    heights: tuple[float, ...] = (0.0, 0.0)


def _touch(first: tuple[int, str, str | None], second: tuple[int, str, str | None]) -> Contact:
    return Contact(ContactEnd(*first), ContactEnd(*second))


_FACING = ((-0.25, 0.0, 90.0), (0.25, 0.0, -90.0))
_ARMS_FORWARD: Joints = {"upperarm01.L": (-0.9, 0.0, -0.3), "upperarm01.R": (-0.9, 0.0, 0.3)}
_LEGS_SPREAD: Joints = {"upperleg01.L": (-1.2, -0.6, 0.0), "upperleg01.R": (-1.2, 0.6, 0.0)}

RECIPES: dict[str, Recipe] = {
    "handshake": Recipe(
        ((-0.5, 0.0, 90.0), (0.5, 0.0, -90.0)),
        (_touch((0, "hand", "right"), (1, "hand", "right")),),
        ({"upperarm01.R": (-0.6, 0.0, 0.4)}, {"upperarm01.R": (-0.6, 0.0, 0.4)}),
    ),
    "hug": Recipe(
        _FACING,
        (
            _touch((0, "hand", "left"), (1, "right back", None)),
            _touch((0, "hand", "right"), (1, "left back", None)),
            _touch((1, "hand", "left"), (0, "waist (back)", None)),
            _touch((1, "hand", "right"), (0, "waist (back)", None)),
            _touch((0, "chest", None), (1, "chest", None)),
        ),
        (_ARMS_FORWARD, _ARMS_FORWARD),
    ),
    "hand on shoulder": Recipe(
        ((-0.4, 0.0, 30.0), (0.3, 0.0, -20.0)), (_touch((0, "hand", "left"), (1, "shoulder (back)", "right")),)
    ),
    "arm round waist": Recipe(
        ((-0.25, 0.0, 0.0), (0.25, 0.0, 0.0)),
        (_touch((0, "hand", "left"), (1, "waist (back)", None)), _touch((0, "arm", "left"), (1, "right back", None))),
    ),
    "dance hold": Recipe(
        ((-0.3, 0.0, 90.0), (0.3, 0.0, -90.0)),
        (
            _touch((0, "hand", "left"), (1, "hand", "right")),
            _touch((0, "hand", "right"), (1, "left back", None)),
            _touch((1, "hand", "left"), (0, "shoulder (back)", "right")),
        ),
        (_ARMS_FORWARD, _ARMS_FORWARD),
    ),
    "piggyback": Recipe(
        ((0.0, 0.0, 90.0), (-0.28, 0.0, 90.0)),
        (
            _touch((1, "chest", None), (0, "back", None)),
            _touch((1, "hand", "left"), (0, "shoulder (front)", "left")),
            _touch((1, "hand", "right"), (0, "shoulder (front)", "right")),
            _touch((0, "hand", "left"), (1, "left thigh", None)),
            _touch((0, "hand", "right"), (1, "right thigh", None)),
        ),
        ({}, {**_ARMS_FORWARD, **_LEGS_SPREAD}),
        heights=(0.0, 0.3),
    ),
    "child and adult": Recipe(
        ((-0.3, 0.0, 0.0), (0.25, 0.0, 0.0)),
        (_touch((0, "hand", "left"), (1, "hand", "right")),),
        ages=(None, 0.3),
        heights=(0.0, -0.25),
    ),
    "hands clasped": Recipe(((0.0, 0.0, 20.0),), (_touch((0, "hand", "left"), (0, "hand", "right")),), ({},)),
    "hand on hip": Recipe(((0.0, 0.0, -30.0),), (_touch((0, "hand", "left"), (0, "waist (front)", None)),), ({},)),
    "crossed legs": Recipe(
        ((0.0, 0.0, 40.0),),
        (_touch((0, "left shin", None), (0, "right thigh", None)),),
        ({"upperleg01.L": (-1.4, 0.0, 0.1), "upperleg01.R": (-1.3, 0.0, 0.0), "lowerleg01.L": (1.4, 0.0, 0.0)},),
    ),
}


def standing(model: BodyModel, x: float, z: float, turn: float = 0.0) -> BodyParameters:
    """An average person, upright, at (x, z) metres before a camera at the height of the hips.

    Turned by 0 degrees it faces the camera, by 90 the camera's right.
    """
    body = neutral_body(model)
    about_down = torch.tensor([0.0, -math.radians(turn), 0.0], dtype=torch.float64)
    body.rotations[0, 0] = rotation_exp(about_down) @ _R_CAMERA_MODEL
    body.translation[0] = torch.tensor([x, 0.0, z], dtype=torch.float64)
    return body


def face_to_face(
    model: BodyModel, gap: float = 1.0, depth: float = 4.0, second_deeper: float = 0.0
) -> list[BodyParameters]:
    """Two people in profile who face each other, ``gap`` metres apart."""
    return [
        standing(model, -gap / 2, depth, turn=90.0),
        standing(model, gap / 2, depth + second_deeper, turn=-90.0),
    ]


@dataclass(frozen=True, eq=False)
class ContactScene:
    """One scene.

    Attributes:
        name: of the recipe.
        truth: bodies as they are; their skin is ``truth_vertices``.
        truth_vertices: of each body, with the soft tissue.
        touching: atoms of two bodies (or of one) that touch.
        estimates: as a monocular method would give them, with key points.
        level: of noise, 1 to 3.
    """

    name: str
    truth: list[BodyParameters]
    truth_vertices: list[Float[torch.Tensor, "v 3"]]
    touching: tuple[tuple[ContactEnd, ContactEnd], ...]
    estimates: list[EstimatedPerson]
    level: int


def make_scene(model: BodyModel, name: str, level: int, seed: int) -> ContactScene | None:
    """Make a scene; None where the recipe did not end in a contact for this seed (the next one may).

    Args:
        model: of the bodies.
        name: one of RECIPES.
        level: of the estimate's errors, 1 to 3.
        seed: of everything random.
    """
    rng = np.random.default_rng([seed, list(RECIPES).index(name), level])
    truth = _truth(model, RECIPES[name], rng)
    skins = [_skin(model, body, rng) for body in truth]
    touching = touching_atoms(model, skins)
    if not touching:
        return None
    estimates = [_estimate(model, body, level, rng) for body in truth]
    return ContactScene(name, truth, skins, touching, estimates, level)


def _truth(model: BodyModel, recipe: Recipe, rng: np.random.Generator) -> list[BodyParameters]:
    space = model.shape_space
    distance = rng.uniform(3.0, 5.0)
    view = rng.uniform(0.0, 360.0)
    persons = []
    for (x, z, turn), joints, age, lift in zip(recipe.places, recipe.joints, recipe.ages, recipe.heights, strict=False):
        body = neutral_body(model)
        shape = space.default.numpy() + rng.uniform(-0.3, 0.3, len(space.names))
        shape[space.names.index("age")] = rng.uniform(0.55, 0.9) if age is None else age
        body.shape[0] = torch.as_tensor(shape).clamp(min=space.low, max=space.high)
        turns = torch.as_tensor(rng.normal(0.0, 0.12, (len(model.skeleton.names), 3)))
        turns[~model.skeleton.free] = 0.0
        for joint, vector in joints.items():
            turns[model.skeleton.names.index(joint)] += torch.tensor(vector, dtype=torch.float64)
        body.rotations[0] = rotation_exp(turns)
        about = torch.tensor([0.0, -math.radians(turn + view + rng.normal(0.0, 8.0)), 0.0], dtype=torch.float64)
        body.rotations[0, 0] = rotation_exp(about) @ rotation_exp(turns[0] * 0.5) @ _R_CAMERA_MODEL
        angle = math.radians(view)
        right, forward = (math.cos(angle) * x + math.sin(angle) * z), (-math.sin(angle) * x + math.cos(angle) * z)
        body.translation[0] = torch.tensor(
            [right, -lift + rng.normal(0, 0.03), distance + forward], dtype=torch.float64
        )
        persons.append(EstimatedPerson(model, body))
    constraints = ContactConstraints((ContactSample(recipe.contacts),), ConstraintOrigin.REQUEST)
    # Loose limbs and strong contacts: the way together, not what is asked of a refinement.
    config = RefinementConfig(
        contact_strength=600.0,
        contact_reach=10.0,
        joint_stddev=0.6,
        lateral_stddev=0.3,
        shape_stddev=1e-4,
        penetration_weight=10.0,
    )
    return [body.detached() for body in refine(persons, constraints, config).bodies]


def _skin(model: BodyModel, body: BodyParameters, rng: np.random.Generator) -> torch.Tensor:
    """The model's surface moved outward by up to a centimetre, smoothly over the body."""
    vertices = mesh(model, body).vertices
    rest = mesh(model, neutral_body(model)).vertices[0]
    waves = torch.as_tensor(rng.normal(0.0, 6.0, (3, 6)))
    phases = torch.as_tensor(rng.uniform(0, 2 * math.pi, 6))
    offset = 0.004 + 0.004 * torch.sin(rest @ waves + phases).mean(1) * math.sqrt(2.0)
    return (vertices + offset[None, :, None] * vertex_normals(vertices, model.faces))[0]


def touching_atoms(model: BodyModel, skins: list[torch.Tensor]) -> tuple[tuple[ContactEnd, ContactEnd], ...]:
    """Atoms closer than 2 cm: of the two people, or of the one where they lie apart on the body."""
    regions = model.regions()
    found = []
    other = len(skins) - 1
    far = frozenset() if other else far_atoms(model)
    bounds = [[(s[regions[a]].amin(0), s[regions[a]].amax(0)) for a in ATOMS] for s in skins]
    for i, first in enumerate(ATOMS):
        for j, second in enumerate(ATOMS):
            ends = (ContactEnd(0, first), ContactEnd(other, second))
            if not other and (first, second) not in far:
                continue
            low, high = bounds[0][i], bounds[other][j]
            if bool(((low[0] > high[1] + TOUCHING) | (high[0] > low[1] + TOUCHING)).any()):
                continue
            if float(torch.cdist(skins[0][regions[first]], skins[other][regions[second]]).min()) < TOUCHING:
                found.append(ends)
    return tuple(found)


def far_atoms(model: BodyModel) -> frozenset[tuple[str, str]]:
    """Pairs of atoms of one body that lie apart when it stands at ease, so that their touching means something."""
    regions = model.regions()
    skin = mesh(model, neutral_body(model)).vertices[0]
    return frozenset(
        (first, second)
        for i, first in enumerate(ATOMS)
        for second in ATOMS[i + 1 :]
        if float(torch.cdist(skin[regions[first]], skin[regions[second]]).min()) > _APART
    )


def _part_of(atom: str, parts: tuple[str, ...]) -> tuple[str, str | None]:
    """The named part that an atom belongs to, and its side."""
    for part in parts:
        for side in SIDES if part in SIDED_PARTS else (None,):
            if part != "ground" and atom in atoms_of(part, side):
                return part, side
    # The list for single people has no chest and no neck.
    return {"neck": ("head", None)}.get(atom, ("stomach", None))


def named_contacts(scene: ContactScene, with_sides: bool) -> tuple[Contact, ...]:
    """What somebody who sees the scene would say: parts of the lists instead of atoms, each pair once."""
    parts = PAIR_PARTS if len(scene.truth) == 2 else SINGLE_PARTS
    contacts = []
    for first, second in scene.touching:
        ends = [
            ContactEnd(end.body, part, side if with_sides else None)
            for end, (part, side) in ((e, _part_of(e.part, parts)) for e in (first, second))
        ]
        contacts.append(Contact(ends[0], ends[1]))
    return tuple(dict.fromkeys(contacts))


def _estimate(model: BodyModel, body: BodyParameters, level: int, rng: np.random.Generator) -> EstimatedPerson:
    """An estimate with the errors of single images: depth goes with size, sides are mistaken, hidden limbs are guessed."""
    skeleton, space = model.skeleton, model.shape_space
    hidden = rng.random(4) < 0.12 * level
    turned = body.rotations.clone()
    for joint in skeleton.free_joints.tolist():
        name = skeleton.names[joint]
        stddev = 0.05 * level if joint == 0 else 0.07 * level
        limb = _limb_of(name)
        if limb is not None and hidden[limb]:
            stddev *= 3.0
        turned[0, joint] = rotation_exp(torch.as_tensor(rng.normal(0.0, stddev, 3))) @ turned[0, joint]
    if rng.random() < 0.06 * level:
        turned = _arms_exchanged(skeleton.names, turned)
    # A body taken for larger is taken to be farther away, so that its image stays the same.
    scale = 1.0 + rng.normal(0.0, 0.03 * level)
    translation = body.translation * scale + torch.as_tensor(rng.normal(0.0, 0.01 * level, 3))
    translation = translation * (1.0 + rng.normal(0.0, 0.01 * level))
    shape = body.shape + torch.as_tensor(rng.normal(0.0, 0.08 * level, len(space.names)))
    shape[0, space.names.index("height")] += (scale - 1.0) / 0.35
    shape[0, space.names.index("age")] = body.shape[0, space.names.index("age")] + rng.normal(0.0, 0.03 * level)
    estimate = BodyParameters(translation, turned, shape.clamp(min=space.low, max=space.high))
    return EstimatedPerson(model, estimate, _keypoints(model, body, level, hidden, rng))


def _keypoints(
    model: BodyModel, body: BodyParameters, level: int, hidden: np.ndarray, rng: np.random.Generator
) -> Keypoints:
    fx, fy, cx, cy = INTRINSICS
    points = landmarks(model, body, COCO_KEYPOINTS)[0].numpy()
    pixels = points[:, :2] / points[:, 2:] * np.array([fx, fy]) + np.array([cx, cy])
    confidence = np.full(len(COCO_KEYPOINTS), 0.9)
    stddev = np.full(len(COCO_KEYPOINTS), 2.0 + level)
    for index, name in enumerate(COCO_KEYPOINTS):
        limb = _limb_of_keypoint(name)
        if limb is not None and hidden[limb]:
            confidence[index], stddev[index] = 0.3, 15.0 * level
    return Keypoints(COCO_KEYPOINTS, pixels + rng.normal(0.0, 1.0, pixels.shape) * stddev[:, None], confidence)


def _limb_of(joint: str) -> int | None:
    name, _, side = joint.partition(".")
    if name.startswith(("upperarm", "lowerarm", "wrist")):
        return 0 if side == "L" else 1
    if name.startswith(("upperleg", "lowerleg", "foot")):
        return 2 if side == "L" else 3
    return None


def _limb_of_keypoint(name: str) -> int | None:
    side, _, part = name.partition("_")
    kind = {"elbow": 0, "wrist": 0, "knee": 2, "ankle": 2}.get(part)
    return None if kind is None else kind + (side == "right")


def _arms_exchanged(names: tuple[str, ...], rotations: torch.Tensor) -> torch.Tensor:
    """Left and right arm with each other's pose, mirrored at the middle of the body."""
    mirrored = rotations.clone()
    for joint, name in enumerate(names):
        if _limb_of(name) in (0, 1):
            other = names.index(name[:-1] + ("R" if name.endswith("L") else "L"))
            vector = rotation_log(rotations[:, other])
            mirrored[:, joint] = rotation_exp(vector * torch.tensor([1.0, -1.0, -1.0], dtype=torch.float64))
    return mirrored
