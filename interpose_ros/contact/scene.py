"""One or two people during a fit: their points, posed for a batch of starts, and the normal equations they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int

from interpose_ros.contact.body_model import BodyModel, landmark_points
from interpose_ros.contact.contact_points import PartPoints
from interpose_ros.contact.rig import BodyParameters, ParameterLayout, Posed, ShapedPoints, place, pose


@dataclass(frozen=True, eq=False)
class Person:
    """What stays the same of a person while it is fitted.

    Attributes:
        model: of the body.
        parts: points that contacts are measured at.
        landmark_names: landmarks that key points or given joints are compared with.
        layout: order of the increments.
    """

    model: BodyModel
    parts: PartPoints
    landmark_names: tuple[str, ...]

    @property
    def layout(self) -> ParameterLayout:
        """Order of the increments."""
        return ParameterLayout(self.model.skeleton, len(self.model.shape_space.names))

    @property
    def surface(self) -> Int[torch.Tensor, "n"]:
        """Points of the surface: those of the parts, then those of the coarse mesh."""
        return torch.cat([self.parts.vertices, self.model.hull_vertices])


@dataclass(frozen=True, eq=False)
class PersonState:
    """One person at every start.

    Attributes:
        body: parameters.
        posed: joints.
        surface, landmarks: positions in the frame.
        surface_points, landmark_points: what they were placed from, for derivatives.
    """

    body: BodyParameters
    posed: Posed
    surface: Float[torch.Tensor, "b n 3"]
    landmarks: Float[torch.Tensor, "b l 3"]
    surface_points: ShapedPoints
    landmark_points: ShapedPoints


class Scene:
    """Persons whose shapes are linearised about where they were when this was made."""

    def __init__(self, persons: Sequence[Person], bodies: Sequence[BodyParameters], with_hull: bool) -> None:
        self.persons = tuple(persons)
        self.with_hull = with_hull
        self._surface, self._landmarks = [], []
        for person, body in zip(persons, bodies, strict=True):
            surface = person.surface if with_hull else person.parts.vertices
            marks = landmark_points(person.model, person.landmark_names)
            self._surface.append(person.model.shaped(body.shape, surface, derivatives=True))
            self._landmarks.append(person.model.shaped(body.shape, marks, derivatives=True))
        starts = [0]
        for person in persons:
            starts.append(starts[-1] + person.layout.size)
        self.slices = [slice(a, b) for a, b in pairwise(starts)]
        self.size = starts[-1]

    def state(self, bodies: Sequence[BodyParameters]) -> list[PersonState]:
        """Pose every person at every start."""
        states = []
        for person, body, surface, marks in zip(self.persons, bodies, self._surface, self._landmarks, strict=True):
            at, marks_at = surface.at_shape(body.shape), marks.at_shape(body.shape)
            posed = pose(person.model.skeleton, body, at.offsets)
            states.append(PersonState(body, posed, place(posed, at), place(posed, marks_at), at, marks_at))
        return states

    def moved(self, bodies: Sequence[BodyParameters], step: Float[torch.Tensor, "b p"]) -> list[BodyParameters]:
        """Bodies after an increment; shapes stay within what the models know."""
        result = []
        for person, body, part in zip(self.persons, bodies, self.slices, strict=True):
            moved = person.layout.moved(body, step[:, part])
            space = person.model.shape_space
            result.append(
                BodyParameters(moved.translation, moved.rotations, moved.shape.clamp(min=space.low, max=space.high))
            )
        return result


class NormalEquations:
    """Gradient and Gauss-Newton matrix of a loss that is a sum of weighted squares, for a batch of starts."""

    def __init__(self, batch: int, size: int) -> None:
        self.matrix = torch.zeros(batch, size, size, dtype=torch.float64)
        self.gradient = torch.zeros(batch, size, dtype=torch.float64)

    def add(
        self,
        residuals: Float[torch.Tensor, "b r"],
        weights: Float[torch.Tensor, "b r"],
        jacobians: Sequence[tuple[slice, Float[torch.Tensor, "b r p"]]],
    ) -> None:
        """Add ``1/2 sum weights * residuals^2`` with derivatives by parts of the increments."""
        for part, jacobian in jacobians:
            weighted = (weights[..., None] * jacobian).transpose(-1, -2)
            self.gradient[:, part] += (weighted @ residuals[..., None])[..., 0]
            for other, other_jacobian in jacobians:
                self.matrix[:, part, other] += weighted @ other_jacobian
