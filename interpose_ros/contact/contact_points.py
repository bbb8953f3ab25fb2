"""Points that stand for body parts: spread evenly over each part, few enough for many distances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int

from interpose_ros.contact.body_model import BodyModel, mesh, neutral_body
from interpose_ros.contact.body_parts import atoms_of

POINTS_PER_ATOM = 32
_CHOSEN: WeakKeyDictionary[BodyModel, dict[str, torch.Tensor]] = WeakKeyDictionary()
_POINTS_OF_ATOM = {"left hand": 64, "right hand": 64, "head": 48, "left foot": 40, "right foot": 40}


@dataclass(frozen=True, eq=False)
class PartPoints:
    """Sample vertices of the parts in use.

    Attributes:
        vertices: of the mesh, all atoms after each other.
        of_atom: where each atom's points stand in ``vertices``.
    """

    vertices: Int[torch.Tensor, "n"]
    of_atom: dict[str, Int[torch.Tensor, "k"]]

    def of_part(self, part: str, side: str | None) -> Int[torch.Tensor, "m"]:
        """Places of a part's points."""
        return torch.cat([self.of_atom[atom] for atom in atoms_of(part, side)])


def part_points(model: BodyModel, atoms: Iterable[str]) -> PartPoints:
    """Points of atoms: by farthest-point sampling on the neutral body, remembered for each model."""
    known = _CHOSEN.setdefault(model, {})
    wanted = tuple(dict.fromkeys(atoms))
    if any(atom not in known for atom in wanted):
        positions = mesh(model, neutral_body(model)).vertices[0]
        for atom in wanted:
            if atom not in known:
                vertices = model.regions()[atom]
                known[atom] = vertices[_spread(positions[vertices], _POINTS_OF_ATOM.get(atom, POINTS_PER_ATOM))]
    of_atom, count = {}, 0
    for atom in wanted:
        of_atom[atom] = torch.arange(count, count + len(known[atom]))
        count += len(known[atom])
    chosen = [known[atom] for atom in wanted]
    return PartPoints(torch.cat(chosen) if chosen else torch.zeros(0, dtype=torch.long), of_atom)


def _spread(points: Float[torch.Tensor, "n 3"], count: int) -> Int[torch.Tensor, "k"]:
    """Farthest-point sampling, beginning with the point farthest from the middle."""
    if len(points) <= count:
        return torch.arange(len(points))
    chosen = [int((points - points.mean(0)).norm(dim=1).argmax())]
    distance = (points - points[chosen[0]]).norm(dim=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, (points - points[chosen[-1]]).norm(dim=1))
    return torch.tensor(chosen)
