"""The plain recipe of ProsePose (arXiv 2405.03689) on the same loss: two stages of Adam by automatic differentiation.

Learning rate 0.01, in the second stage 0.001; at most 1000 iterations per stage, less where the slope of a line through the
last 20 losses is below 1e-4; at most 80 vertices per part, drawn anew for every evaluation; penetration in the second
stage, which leaves the shape alone. Only the points that the loss needs are computed, and in the second stage the shape
only once, which the original does not spare itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from interpose_ros.contact.body_model import landmark_points
from interpose_ros.contact.body_parts import ATOMS, GROUND, atoms_of
from interpose_ros.contact.config import RefinementConfig
from interpose_ros.contact.constraints import ContactConstraints
from interpose_ros.contact.contact_points import PartPoints
from interpose_ros.contact.contact_term import ContactTerm
from interpose_ros.contact.penetration import PenetrationTerm
from interpose_ros.contact.refine import body_terms
from interpose_ros.contact.rig import BodyParameters, place, pose
from interpose_ros.contact.scene import Person, PersonState
from interpose_ros.contact.synthetic import INTRINSICS

VERTICES_PER_PART = 80
WINDOW = 20
KEPT_EVERY = 10


@dataclass(frozen=True, eq=False)
class PlainResult:
    """Bodies; `seconds` in all; and (seconds of one core, bodies) after every tenth iteration of the second stage."""

    bodies: list[BodyParameters]
    seconds: float
    steps: list[tuple[float, list[BodyParameters]]]


class Drawn:
    """The persons of one evaluation, with vertices drawn for it."""

    def __init__(self, persons, atoms, rng, with_hull):
        self.persons = []
        for person, names in zip(persons, atoms, strict=True):
            regions, chosen, of_atom, count = person.model.regions(), [], {}, 0
            for atom in names:
                vertices = regions[atom]
                if len(vertices) > VERTICES_PER_PART:
                    vertices = vertices[torch.as_tensor(rng.choice(len(vertices), VERTICES_PER_PART, replace=False))]
                of_atom[atom] = torch.arange(count, count + len(vertices))
                count += len(vertices)
                chosen.append(vertices)
            vertices = torch.cat(chosen) if chosen else torch.zeros(0, dtype=torch.long)
            marks = person.keypoints.names if person.keypoints else ()
            self.persons.append(Person(person.model, PartPoints(vertices, of_atom), marks))
        self.with_hull = with_hull

    def state(self, bodies, shaped):
        """Pose the persons, exactly and with a graph; `shaped` gives points of a person in its present shape."""
        states = []
        for number, (person, body) in enumerate(zip(self.persons, bodies, strict=True)):
            surface = person.surface if self.with_hull else person.parts.vertices
            marks = landmark_points(person.model, person.landmark_names)
            points = shaped(number, body.shape, torch.cat([surface, marks]))
            posed = pose(person.model.skeleton, body, points.offsets)
            positions = place(posed, points)
            states.append(
                PersonState(body, posed, positions[:, : len(surface)], positions[:, len(surface) :], points, points)
            )
        return states


def plain_refine(
    persons, constraints: ContactConstraints, config: RefinementConfig, seed: int, most: int
) -> PlainResult:
    """Refine as the paper does."""
    rng = np.random.default_rng(seed)
    used = {a for c in constraints.contacts for e in (c.first, c.second) if e.part != GROUND for a in atoms_of(e.part)}
    atoms = [[atom for atom in ATOMS if atom in used]] * len(persons)
    terms = list(body_terms(persons, config, INTRINSICS).values())
    contact = ContactTerm(constraints.samples, config.contact_strength, config.contact_reach)
    penetration = PenetrationTerm(weight=config.penetration_weight)
    bodies = [person.body for person in persons]
    torch.optim.Adam([torch.zeros(1)])  # its first use imports for seconds
    began, wall = time.process_time(), time.monotonic()
    kept: list[tuple[float, list[BodyParameters]]] = []
    for stage, rate in enumerate((0.01, 0.001)):
        layouts = [Person(p.model, PartPoints(torch.zeros(0, dtype=torch.long), {}), ()).layout for p in persons]
        steps = [torch.zeros(1, layout.size, dtype=torch.float64, requires_grad=True) for layout in layouts]
        optimiser = torch.optim.Adam(steps, lr=rate)
        shaped = _fixed_shapes(persons, bodies) if stage == 1 else _free_shapes(persons)
        losses: list[float] = []

        def current(steps=steps, layouts=layouts, bodies=bodies):
            moved = []
            for layout, body, step, person in zip(layouts, bodies, steps, persons, strict=True):
                new = layout.moved(body, step)
                space = person.model.shape_space
                moved.append(BodyParameters(new.translation, new.rotations, new.shape.clamp(space.low, space.high)))
            return moved

        for iteration in range(most):
            optimiser.zero_grad()
            drawn = Drawn(persons, atoms, rng, with_hull=stage == 1)
            state = drawn.state(current(), shaped)
            loss = sum(term.value(drawn, state) for term in terms) + contact.differentiable_value(drawn, state)
            if stage == 1:
                loss = loss + penetration.value(drawn, state)
            loss.sum().backward()
            if stage == 1:
                for layout, step in zip(layouts, steps, strict=True):
                    step.grad[:, layout.shape] = 0.0
            for step in steps:
                step.grad.nan_to_num_()
            optimiser.step()
            losses.append(float(loss.detach().sum()))
            if stage == 1 and iteration % KEPT_EVERY == 0:
                kept.append((time.process_time() - began, [body.detached() for body in current()]))
            if len(losses) >= WINDOW and abs(np.polyfit(np.arange(WINDOW), losses[-WINDOW:], 1)[0]) < 1e-4:
                break
        bodies = [body.detached() for body in current()]
    kept.append((time.process_time() - began, bodies))
    return PlainResult(bodies, time.monotonic() - wall, kept)


def _free_shapes(persons):
    return lambda number, shape, points: persons[number].model.shaped(shape, points)


def _fixed_shapes(persons, bodies):
    """Every point of the shapes as they are, worked out once, to be chosen from."""
    every = []
    for person, body in zip(persons, bodies, strict=True):
        count = person.model.vertex_count + len(person.model.landmark_names)
        every.append(person.model.shaped(body.shape, torch.arange(count)))

    def chosen(number, shape, points):
        some = every[number]
        slots = int((some.weights[points] != 0).sum(1).max())
        return replace(
            some,
            local=some.local[:, points, :slots],
            weights=some.weights[points, :slots],
            joints=some.joints[points, :slots],
        )

    return chosen
