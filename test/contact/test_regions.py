"""Body parts of Anny."""

import pytest
import torch

from interpose_ros.contact.body_model import mesh, neutral_body
from interpose_ros.contact.body_parts import (
    ATOMS,
    BODY,
    GROUND,
    PAIR_PARTS,
    PARTS,
    SIDED_PARTS,
    SIDES,
    SINGLE_PARTS,
    atoms_of,
)

# Square centimetres that a part of a neutral body may have.
AREAS = {
    "head": (1000, 2200),
    "neck": (120, 400),
    "chest": (700, 1700),
    "back": (1200, 3200),
    "stomach": (700, 2200),
    "waist (front)": (400, 1400),
    "waist (back)": (200, 900),
    "butt": (450, 1200),
    "shoulder": (180, 700),
    "arm": (1000, 2000),
    "hand": (300, 600),
    "leg": (2800, 4500),
    "foot": (450, 950),
}


@pytest.fixture(scope="module")
def vertex_areas(anny):
    vertices = mesh(anny, neutral_body(anny)).vertices[0]
    corners = vertices[anny.faces]
    areas = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=-1) / 2
    return torch.zeros(len(vertices), dtype=torch.float64).index_add_(
        0, anny.faces.flatten(), areas.repeat_interleave(3) / 3
    )


def area(anny, vertex_areas, part, side=None):
    return 1e4 * float(sum(vertex_areas[anny.regions()[atom]].sum() for atom in atoms_of(part, side)))


def test_every_vertex_belongs_to_exactly_one_atom(anny):
    assert tuple(anny.regions()) == ATOMS
    everything = torch.cat([anny.regions()[atom] for atom in ATOMS])
    assert torch.equal(everything.sort().values, torch.arange(anny.vertex_count))


@pytest.mark.parametrize("part", AREAS)
def test_areas_are_those_of_a_body(anny, vertex_areas, part):
    low, high = AREAS[part]
    assert low < area(anny, vertex_areas, part, "left" if part in SIDED_PARTS else None) < high


@pytest.mark.parametrize("part", SIDED_PARTS)
def test_sides_are_equal_in_size_and_lie_on_their_side(anny, vertex_areas, part):
    left, right = (area(anny, vertex_areas, part, side) for side in SIDES)
    assert left == pytest.approx(right, rel=0.05)
    vertices = mesh(anny, neutral_body(anny)).vertices[0]
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        chosen = torch.cat([anny.regions()[atom] for atom in atoms_of(part, side)])
        assert float((sign * vertices[chosen] @ anny.axes.left).min()) > -1e-6


def test_front_and_back_are_apart(anny):
    vertices = mesh(anny, neutral_body(anny)).vertices[0] @ anny.axes.forward

    def mean(part):
        return float(torch.cat([vertices[anny.regions()[atom]] for atom in atoms_of(part)]).mean())

    assert mean("chest") > mean("back") + 0.12
    assert mean("waist (front)") > mean("waist (back)") + 0.1
    assert mean("shoulder (front)") > mean("shoulder (back)") + 0.03
    assert mean("stomach") > mean("butt") + 0.1


def test_limbs_hold_all_that_their_bones_move(anny):
    lengths = {"left hand": 1000, "left foot": 900, "head": 4000, "left upper arm": 150, "left thigh": 250}
    for atom, least in lengths.items():
        assert len(anny.regions()[atom]) > least


def test_parts_overlap_only_where_it_is_meant():
    meant = {
        frozenset(pair)
        for pair in (
            ("stomach", "waist (front)"),
            ("stomach", "waist"),
            ("waist (front)", "waist"),
            ("waist (back)", "waist"),
            ("waist (back)", "back"),
            ("waist", "back"),
            ("shoulder (back)", "back"),
            ("shoulder (back)", "shoulder"),
            ("shoulder (front)", "shoulder"),
            ("shoulder", "back"),
        )
    }
    found = {
        frozenset((a, b))
        for number, a in enumerate(PARTS)
        for b in PARTS[number + 1 :]
        if set(atoms_of(a)) & set(atoms_of(b))
    }
    assert found == meant


def test_both_lists_of_parts_are_known():
    for part in (*PAIR_PARTS, *SINGLE_PARTS):
        assert part == GROUND or atoms_of(part)
    assert atoms_of(BODY) == ATOMS
    assert len(PAIR_PARTS) == 14
    assert len(SINGLE_PARTS) == 10


def test_unknown_parts_and_sides_are_named():
    with pytest.raises(ValueError, match="unknown body part 'wing'"):
        atoms_of("wing")
    with pytest.raises(ValueError, match="has no left side"):
        atoms_of("head", "left")
    with pytest.raises(ValueError, match="neither left nor right"):
        atoms_of("hand", "upper")
