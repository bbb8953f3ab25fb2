"""Bodies that are said to touch, moved so that they do: the two stages of ProsePose as least squares."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from interpose_ros.contact.body_model import BodyModel
from interpose_ros.contact.body_parts import GROUND, atoms_of
from interpose_ros.contact.body_terms import JointLimits, Keypoints2D, NearEstimate, Term
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import ContactConstraints, ContactReport
from interpose_ros.contact.contact_points import part_points
from interpose_ros.contact.contact_term import ContactTerm, Floor
from interpose_ros.contact.penetration import PenetrationTerm
from interpose_ros.contact.rig import BodyParameters
from interpose_ros.contact.scene import Person, PersonState, Scene
from interpose_ros.contact.solver import solve

_TORSO = ("spine", "neck", "head", "clavicle")


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Key points of one person in an undistorted image.

    Attributes:
        names: landmarks of the body model.
        pixels: pixel centres at integers.
        confidences: 0 to 1.
    """

    names: tuple[str, ...]
    pixels: Float[np.ndarray, "l 2"]
    confidences: Float[np.ndarray, "l"]


@dataclass(frozen=True, eq=False)
class EstimatedPerson:
    """A person as somebody estimated it.

    Attributes:
        model: of the body.
        body: one body, in the camera's frame (x right, y down, z forward).
        keypoints: seen in the image, if any.
    """

    model: BodyModel
    body: BodyParameters
    keypoints: Keypoints | None = None


@dataclass(frozen=True, eq=False)
class Refinement:
    """The answer.

    Attributes:
        bodies: refined, one each.
        constraints: that were used.
        contacts: with distances before and after.
        losses_before, losses_after: by term.
        seconds: by stage.
        complete: False where the deadline ended it early; the bodies are the best so far.
        trace: seconds and least loss after each iteration of each stage.
    """

    bodies: list[BodyParameters]
    constraints: ContactConstraints
    contacts: list[ContactReport]
    losses_before: dict[str, float]
    losses_after: dict[str, float]
    seconds: dict[str, float]
    complete: bool
    trace: list[list[tuple[float, float]]] = field(default_factory=list)


def refine(
    persons: Sequence[EstimatedPerson],
    constraints: ContactConstraints,
    config: RefinementConfig,
    intrinsics: tuple[float, float, float, float] | None = None,
    floor: Floor | None = None,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Refinement:
    """Refine one or two bodies together.

    Args:
        persons: one or two.
        constraints: what touches; without any, only the other terms act.
        config: settings.
        intrinsics: fx, fy, cx, cy; needed where key points are given.
        floor: in the camera's frame; needed where a contact names the ground.
        out_of_time: asked before every iteration.

    Raises:
        ValueError: zero or more than two persons, key points without intrinsics, a contact of a person that is not there.
    """
    _check(persons, constraints, intrinsics)
    began = time.monotonic()
    atoms: list[list[str]] = [[] for _ in persons]
    for contact in constraints.contacts:
        for end in (contact.first, contact.second):
            if end.part != GROUND:
                # Who is who may be open, so both need the parts of both.
                for some in atoms:
                    some.extend(atoms_of(end.part))
    people = [
        Person(p.model, part_points(p.model, names), p.keypoints.names if p.keypoints else ())
        for p, names in zip(persons, atoms, strict=True)
    ]
    estimates = [p.body for p in persons]
    common = body_terms(persons, config, intrinsics)
    contact_term = ContactTerm(constraints.samples, config.contact_strength, config.contact_reach, floor=floor)
    penetration = PenetrationTerm(weight=config.penetration_weight)
    prepared = time.monotonic()

    first_scene = Scene(people, estimates, with_hull=False)
    first_terms: list[Term] = [*common.values(), contact_term]
    starts = _starts(first_scene, estimates, contact_term)
    free = _free(people, config, with_shape=True)
    first = solve(first_scene, starts, first_terms, free, config.iterations, out_of_time=out_of_time)
    found = time.monotonic()

    scene = Scene(people, first.best(), with_hull=True)
    every: dict[str, Term] = {**common, "contact": contact_term, "penetration": penetration}
    second = solve(
        scene,
        first.best(),
        list(every.values()),
        _free(people, config, with_shape=False),
        config.iterations,
        out_of_time=out_of_time,
    )
    separated = time.monotonic()
    bodies = second.best()
    before, after = scene.state(estimates), scene.state(bodies)
    return Refinement(
        bodies=bodies,
        constraints=constraints,
        contacts=_contacts(contact_term, scene, before, after),
        losses_before={name: float(term.value(scene, before)[0]) for name, term in every.items()},
        losses_after={name: float(term.value(scene, after)[0]) for name, term in every.items()},
        seconds={"prepare": prepared - began, "contact": found - prepared, "penetration": separated - found},
        complete=not (first.stopped or second.stopped),
        trace=[first.trace, second.trace],
    )


def _contacts(
    term: ContactTerm, scene: Scene, before: list[PersonState], after: list[PersonState]
) -> list[ContactReport]:
    """Contacts as they are settled in the end, and how far apart the same places were before."""
    return [
        ContactReport(contact, weight, term.distance(scene, before, contact), distance)
        for contact, distance, weight in term.settled(scene, after)
    ]


def _check(
    persons: Sequence[EstimatedPerson],
    constraints: ContactConstraints,
    intrinsics: tuple[float, float, float, float] | None,
) -> None:
    if len(persons) not in (1, 2):
        raise ValueError(f"{len(persons)} people; contact refinement takes one or two")
    if intrinsics is None and any(person.keypoints for person in persons):
        raise ValueError("key points are given, but no camera intrinsics")
    for contact in constraints.contacts:
        for end in (contact.first, contact.second):
            if end.body >= len(persons):
                raise ValueError(f"a contact names body {end.body}, but there is only one person")


def body_terms(
    persons: Sequence[EstimatedPerson],
    config: RefinementConfig,
    intrinsics: tuple[float, float, float, float] | None,
) -> dict[str, Term]:
    """The terms of each body alone: near its estimate, within joint limits, at its key points."""
    terms: dict[str, Term] = {}
    for index, person in enumerate(persons):
        skeleton, space = person.model.skeleton, person.model.shape_space
        names = [skeleton.names[joint] for joint in skeleton.free_joints.tolist()]
        stddev = [config.torso_stddev if name.startswith(_TORSO) else config.joint_stddev for name in names]
        stddev[0] = config.orientation_stddev
        terms[f"estimate {index}"] = NearEstimate(
            index,
            person.body,
            _position_information(person.body.translation[0], config),
            torch.tensor(stddev, dtype=torch.float64),
            config.shape_stddev * (space.high - space.low),
        )
        terms[f"joint limits {index}"] = JointLimits(index)
        if person.keypoints is not None and intrinsics is not None:
            terms[f"key points {index}"] = keypoint_term(index, person.keypoints, config, intrinsics)
    return terms


def keypoint_term(
    person: int, keypoints: Keypoints, config: RefinementConfig, intrinsics: tuple[float, float, float, float]
) -> Keypoints2D:
    """The term of one person's key points; their error scales with the person's size in the image."""
    pixels = torch.as_tensor(keypoints.pixels, dtype=torch.float64)
    confidence = torch.as_tensor(keypoints.confidences, dtype=torch.float64)
    seen = pixels[confidence > 0]
    size = float((seen.amax(0) - seen.amin(0)).max()) if len(seen) else 1.0
    return Keypoints2D(
        person,
        pixels,
        config.keypoint_weight * confidence**2,
        config.keypoint_stddev * max(size, 1.0),
        intrinsics,
    )


def _position_information(position: torch.Tensor, config: RefinementConfig) -> torch.Tensor:
    """Inverse covariance of a body's position: what a single image tells badly is how far away it is."""
    ray = position / position.norm().clamp(min=1e-9)
    along = torch.outer(ray, ray)
    across = torch.eye(3, dtype=torch.float64) - along
    return along / config.depth_stddev**2 + across / config.lateral_stddev**2


def _free(people: Sequence[Person], config: RefinementConfig, with_shape: bool) -> torch.Tensor:
    parts = []
    for person in people:
        free = torch.ones(person.layout.size, dtype=torch.bool)
        free[person.layout.shape] = with_shape
        if config.hold_orientation:
            free[3:6] = False
        parts.append(free)
    return torch.cat(parts)


def _starts(scene: Scene, estimates: Sequence[BodyParameters], term: ContactTerm) -> list[BodyParameters]:
    """The estimate; with two people also with the gap closed, by moving either one along its line of sight."""
    if len(estimates) < 2 or not term.samples:
        return list(estimates)
    gap = term.mean_gap(scene, scene.state(estimates))
    starts = [[e.translation for e in estimates]]
    for mover, sign in ((0, 1.0), (1, -1.0)):
        ray = estimates[mover].translation / estimates[mover].translation.norm().clamp(min=1e-9)
        moved = [e.translation for e in estimates]
        moved[mover] = moved[mover] + sign * (ray * gap).sum(1, keepdim=True) * ray
        starts.append(moved)
    return [
        BodyParameters(
            torch.cat([start[index] for start in starts]),
            body.rotations.expand(len(starts), -1, -1, -1).clone(),
            body.shape.expand(len(starts), -1).clone(),
        )
        for index, body in enumerate(estimates)
    ]
