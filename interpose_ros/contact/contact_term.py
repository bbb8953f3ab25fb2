"""The loss of contacts: for each sample the least sum over what it leaves open, averaged over the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from interpose_ros.contact.assignment import LEFT, RIGHT, Row, best_assignment
from interpose_ros.contact.body_parts import GROUND, SIDED_PARTS, SIDES, atoms_of
from interpose_ros.contact.constraints import Contact, ContactEnd, ContactSample
from interpose_ros.contact.scene import NormalEquations, PersonState, Scene

_SIDE_BIT = {"left": LEFT, "right": RIGHT}
# The nearest points change as surfaces slide along each other, so what the squares of fixed points say across the line
# between them is far too stiff: it counts this much. (ICP converges for the same reason with planes, not with points.)
_ACROSS = 0.01


@dataclass(frozen=True, eq=False)
class Floor:
    """A plane that people stand on: ``normal . p = height``, in metres, the normal upward and of unit length."""

    normal: Float[torch.Tensor, "3"]
    height: float


@dataclass(frozen=True, eq=False)
class Closest:
    """Nearest points of two settled ends.

    Attributes:
        distance: at every start.
        first, second: places of the nearest points among the surface points of their persons; second is -1 for the floor.
    """

    distance: Float[torch.Tensor, "b"]
    first: Int[torch.Tensor, "b"]
    second: Int[torch.Tensor, "b"]


@dataclass(frozen=True, eq=False)
class _Pull:
    """One settled contact at one start: which points are drawn together, and how strongly."""

    start: int
    bodies: tuple[int, int]
    points: tuple[int, int]
    weight: float


class ContactTerm:
    """``sum over samples of weight * min over open choices of sum of rho(distance)``, in the manner of ProsePose (eq. 4).

    Where the paper takes the distance itself, ``rho(d) = c log(1 + u / c)`` with ``u = sqrt(d^2 + e^2) - e``: smooth where
    the parts touch, and flatter the farther they are apart, so that contacts that nothing else speaks for do not tear
    bodies out of shape.
    """

    def __init__(
        self,
        samples: Sequence[ContactSample],
        strength: float,
        reach: float,
        smoothing: float = 0.01,
        floor: Floor | None = None,
    ) -> None:
        """Settle the term.

        Args:
            samples: what may touch.
            strength: loss per metre of parts that nearly touch.
            reach: ``c``, in metres: distance from which a contact pulls half as strongly.
            smoothing: ``e``, in metres.
            floor: needed where a contact names the ground.

        Raises:
            ValueError: a contact names the ground and there is no floor.
        """
        meaningful = [replace(s, contacts=tuple(c for c in s.contacts if _means_something(c))) for s in samples]
        self.samples = [sample for sample in meaningful if sample.contacts and sample.weight > 0]
        self.strength = strength
        self.reach = reach
        self.smoothing = smoothing
        self.floor = floor
        named = {contact.second.part for sample in self.samples for contact in sample.contacts}
        if GROUND in named and floor is None:
            raise ValueError("a contact names the ground, but no floor plane is given")

    def value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """See `Term`."""
        return self._settle(scene, state)[0]

    def add(self, scene: Scene, state: list[PersonState], normal: NormalEquations) -> None:
        """See `Term`."""
        _, pulls = self._settle(scene, state)
        batch = len(state[0].body)
        by_bodies: dict[tuple[int, int], list[list[_Pull]]] = {}
        for pull in pulls:
            lists = by_bodies.setdefault(pull.bodies, [[] for _ in range(batch)])
            lists[pull.start].append(pull)
        for bodies, lists in by_bodies.items():
            self._add_pulls(scene, state, normal, bodies, lists)

    def settled(self, scene: Scene, state: list[PersonState], start: int = 0) -> list[tuple[Contact, float, float]]:
        """Contacts as the minimum takes them at one start: with sides and persons settled, distance and weight."""
        closest: dict[tuple[ContactEnd, ContactEnd], Closest] = {}
        result = []
        for sample in self.samples:
            contacts, _, reachable = self._best(scene, state, sample, closest)
            for contact in contacts[start] if reachable[start] else ():
                distance = float(closest[(contact.first, contact.second)].distance[start])
                result.append((contact, distance, sample.weight))
        return result

    def distance(self, scene: Scene, state: list[PersonState], contact: Contact, start: int = 0) -> float:
        """Distance in metres of a settled contact at one start."""
        return float(self._closest(scene, state, contact.first, contact.second).distance[start])

    def mean_gap(self, scene: Scene, state: list[PersonState], start: int = 0) -> Float[torch.Tensor, "3"]:
        """Mean way from the first person's points to the second's, over the contacts between them as settled now."""
        ways = []
        for pull in self._settle(scene, state)[1]:
            if pull.start == start and sorted(pull.bodies) == [0, 1]:
                one = state[pull.bodies[0]].surface[start, pull.points[0]]
                other = state[pull.bodies[1]].surface[start, pull.points[1]]
                ways.append(other - one if pull.bodies[0] == 0 else one - other)
        return torch.stack(ways).mean(0) if ways else torch.zeros(3, dtype=torch.float64)

    def differentiable_value(self, scene: Scene, state: list[PersonState]) -> Float[torch.Tensor, "b"]:
        """The same as `value`, with a graph behind it: for optimisers that work by automatic differentiation."""
        closest: dict[tuple[ContactEnd, ContactEnd], Closest] = {}
        totals = [torch.zeros((), dtype=torch.float64) for _ in range(len(state[0].body))]
        for sample in self.samples:
            contacts, _, reachable = self._best(scene, state, sample, closest)
            for start in np.nonzero(reachable)[0].tolist():
                for contact in contacts[start]:
                    distance = closest[(contact.first, contact.second)].distance[start]
                    u = torch.sqrt(distance**2 + self.smoothing**2) - self.smoothing
                    cost = self.strength * sample.weight * self.reach * torch.log1p(u / self.reach)
                    totals[start] = totals[start] + cost
        return torch.stack(totals)

    def _settle(self, scene: Scene, state: list[PersonState]) -> tuple[torch.Tensor, list[_Pull]]:
        closest: dict[tuple[ContactEnd, ContactEnd], Closest] = {}
        batch = len(state[0].body)
        total = torch.zeros(batch, dtype=torch.float64)
        pulls = []
        for sample in self.samples:
            contacts, losses, reachable = self._best(scene, state, sample, closest)
            weight = self.strength * sample.weight
            total += weight * losses
            for start in range(batch):
                if not reachable[start]:
                    continue
                for contact in contacts[start]:
                    near = closest[(contact.first, contact.second)]
                    bodies = (contact.first.body, contact.second.body)
                    points = (int(near.first[start]), int(near.second[start]))
                    pulls.append(_Pull(start, bodies, points, weight))
        return total, pulls

    def _best(
        self,
        scene: Scene,
        state: list[PersonState],
        sample: ContactSample,
        closest: dict[tuple[ContactEnd, ContactEnd], Closest],
    ) -> tuple[list[list[Contact]], torch.Tensor, np.ndarray]:
        """The best choice of a sample at every start, its loss, and whether there is one."""
        batch = len(state[0].body)
        orders = [sample.contacts]
        if sample.order_open and len(state) == 2:
            orders.append(tuple(contact.swapped() for contact in sample.contacts))
        totals, settled = [], []
        for contacts in orders:
            options = [(_options(c.first), _options(c.second)) for c in contacts]
            rows = [
                self._row(scene, state, contact, pair, closest) for contact, pair in zip(contacts, options, strict=True)
            ]
            best = best_assignment(rows, sample.both_sides)
            totals.append(best.total)
            settled.append(
                [
                    [
                        Contact(options[row][0][i], options[row][1][j])
                        for row, (i, j) in enumerate(best.choices[start].tolist())
                    ]
                    for start in range(batch)
                ]
            )
        stacked = np.stack(totals)
        order = np.argmin(stacked, axis=0)
        loss = stacked[order, np.arange(batch)]
        reachable = np.isfinite(loss)
        chosen = [settled[order[start]][start] for start in range(batch)]
        return chosen, torch.as_tensor(np.where(reachable, loss, 0.0)), reachable

    def _row(
        self,
        scene: Scene,
        state: list[PersonState],
        contact: Contact,
        options: tuple[list[ContactEnd], list[ContactEnd]],
        closest: dict[tuple[ContactEnd, ContactEnd], Closest],
    ) -> Row:
        batch = len(state[0].body)
        costs = np.full((batch, len(options[0]), len(options[1])), np.inf)
        for i, first in enumerate(options[0]):
            for j, second in enumerate(options[1]):
                if not _can_touch(first, second):
                    continue
                key = (first, second)
                if key not in closest:
                    closest[key] = self._closest(scene, state, first, second)
                u = np.sqrt(closest[key].distance.detach().numpy() ** 2 + self.smoothing**2) - self.smoothing
                costs[:, i, j] = self.reach * np.log1p(u / self.reach)
        nodes = tuple(
            (end.body, end.part) if end.part in SIDED_PARTS else None for end in (contact.first, contact.second)
        )
        sides = tuple(tuple(_SIDE_BIT.get(o.side or "left", LEFT) for o in some) for some in options)
        return Row(costs, (nodes[0], nodes[1]), (sides[0], sides[1]))

    def _closest(self, scene: Scene, state: list[PersonState], first: ContactEnd, second: ContactEnd) -> Closest:
        mine = scene.persons[first.body].parts.of_part(first.part, first.side)
        points = state[first.body].surface[:, mine]
        if second.part == GROUND:
            assert self.floor is not None
            above = (points @ self.floor.normal - self.floor.height).abs()
            distance, index = above.min(1)
            return Closest(distance, mine[index], torch.full_like(index, -1))
        theirs = scene.persons[second.body].parts.of_part(second.part, second.side)
        distances = torch.cdist(points, state[second.body].surface[:, theirs])
        distance, index = distances.flatten(1).min(1)
        return Closest(distance, mine[index // len(theirs)], theirs[index % len(theirs)])

    def _add_pulls(
        self,
        scene: Scene,
        state: list[PersonState],
        normal: NormalEquations,
        bodies: tuple[int, int],
        lists: list[list[_Pull]],
    ) -> None:
        width = max(len(pulls) for pulls in lists)
        points = torch.zeros(2, len(lists), width, dtype=torch.long)
        weights = torch.zeros(len(lists), width, dtype=torch.float64)
        for start, pulls in enumerate(lists):
            for place, pull in enumerate(pulls):
                points[0, start, place], points[1, start, place] = pull.points
                weights[start, place] = pull.weight
        batch = torch.arange(len(lists))[:, None]
        first = state[bodies[0]]
        moved = scene.persons[bodies[0]].layout.point_derivatives(first.posed, first.surface_points, points[0])
        at = first.surface[batch, points[0]]
        if bodies[1] < 0:
            assert self.floor is not None
            residual = (at @ self.floor.normal - self.floor.height)[..., None]
            jacobians = [(scene.slices[bodies[0]], (self.floor.normal @ moved)[:, :, None])]
        else:
            second = state[bodies[1]]
            other = scene.persons[bodies[1]].layout.point_derivatives(second.posed, second.surface_points, points[1])
            residual = at - second.surface[batch, points[1]]
            loosened = _loosened(residual)
            moved, other = loosened @ moved, loosened @ other
            if bodies[0] == bodies[1]:
                jacobians = [(scene.slices[bodies[0]], moved - other)]
            else:
                jacobians = [(scene.slices[bodies[0]], moved), (scene.slices[bodies[1]], -other)]
        # Squares with these weights have the gradient of rho, and lie above it (Weiszfeld).
        softened = torch.sqrt((residual**2).sum(-1) + self.smoothing**2)
        weights = weights / softened / (1 + (softened - self.smoothing) / self.reach)
        normal.add(
            residual.flatten(1),
            weights[..., None].expand_as(residual).flatten(1),
            [(part, jacobian.flatten(1, 2)) for part, jacobian in jacobians],
        )


def _loosened(residual: Float[torch.Tensor, "b m 3"]) -> Float[torch.Tensor, "b m 3 3"]:
    """Maps that leave vectors along the residuals as they are and shorten those across them; gradients stay the same."""
    along = residual / residual.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    share = _ACROSS**0.5
    return share * torch.eye(3, dtype=residual.dtype) + (1 - share) * along[..., :, None] * along[..., None, :]


def _options(end: ContactEnd) -> list[ContactEnd]:
    """An end with its side settled in every way that it leaves open."""
    if end.part in SIDED_PARTS and end.side is None:
        return [ContactEnd(end.body, end.part, side) for side in SIDES]
    return [end]


# Parts that always touch within one body say nothing.
_NEIGHBOURS = {
    frozenset(pair)
    for pair in (
        *(("head", "neck"), ("neck", "chest"), ("neck", "back"), ("neck", "shoulder"), ("chest", "shoulder")),
        *(("shoulder", "arm"), ("arm", "hand"), ("back", "shoulder"), ("chest", "stomach"), ("stomach", "leg")),
        *(
            ("butt", "leg"),
            ("leg", "foot"),
            ("stomach", "back"),
            ("butt", "back"),
            ("butt", "stomach"),
            ("chest", "back"),
        ),
        *(("chest", "arm"), ("back", "arm")),
    )
}
_KIND = {
    "shoulder (front)": "shoulder",
    "shoulder (back)": "shoulder",
    "waist (front)": "stomach",
    "waist (back)": "back",
}


def _means_something(contact: Contact) -> bool:
    """Whether a contact says more than that a body hangs together."""
    return any(_can_touch(first, second) for first in _options(contact.first) for second in _options(contact.second))


def _can_touch(first: ContactEnd, second: ContactEnd) -> bool:
    """Whether two settled ends are different places; within one body, also whether touching would mean anything."""
    if first.body != second.body:  # the ground, too
        return True
    if set(atoms_of(first.part, first.side)) & set(atoms_of(second.part, second.side)):
        return False
    pair = frozenset((_KIND.get(first.part, first.part), _KIND.get(second.part, second.part)))
    return not (pair in _NEIGHBOURS and (first.side is None or second.side is None or first.side == second.side))
