"""Body parts that people (and language models) name.

Atoms cover the body without overlap. Parts are the names of constraints and stand for one or more atoms; those of a side
come with left and right. Names and what they cover follow the two lists of ProsePose (section 3 and supplement of
arXiv 2405.03689: pairs of people, single people); parts overlap exactly where the lists mean it: the back contains the
backs of the shoulders and of the waist, the stomach the front of the waist, a shoulder its front and back.
"""

from __future__ import annotations

SIDES = ("left", "right")
GROUND = "ground"
BODY = "body"

_SIDED_ATOMS = (
    "shoulder (front)",
    "shoulder (back)",
    "upper arm",
    "forearm",
    "hand",
    "thigh",
    "shin",
    "foot",
    "butt",
    "chest",
    "back",
)
ATOMS = (
    "head",
    "neck",
    "stomach",
    "waist (front)",
    "waist (back)",
    *(f"{side} {name}" for name in _SIDED_ATOMS for side in SIDES),
)

_BOTH = "{side} "
# Atoms of each part; "{side} " marks an atom that exists left and right.
_PARTS: dict[str, tuple[str, ...]] = {
    "head": ("head",),
    "neck": ("neck",),
    "chest": (_BOTH + "chest",),
    "stomach": ("stomach", "waist (front)"),
    "waist (front)": ("waist (front)",),
    "waist (back)": ("waist (back)",),
    "waist": ("waist (front)", "waist (back)"),
    "back": (_BOTH + "back", _BOTH + "shoulder (back)", "waist (back)"),
    "butt": (_BOTH + "butt",),
    "shoulder (front)": (_BOTH + "shoulder (front)",),
    "shoulder (back)": (_BOTH + "shoulder (back)",),
    "shoulder": (_BOTH + "shoulder (front)", _BOTH + "shoulder (back)"),
    "arm": (_BOTH + "upper arm", _BOTH + "forearm"),
    "hand": (_BOTH + "hand",),
    "leg": (_BOTH + "thigh", _BOTH + "shin"),
    "foot": (_BOTH + "foot",),
}
# Parts whose sides are told apart; of the others a name means both halves.
SIDED_PARTS = ("shoulder (front)", "shoulder (back)", "shoulder", "arm", "hand", "leg", "foot")
PARTS = tuple(_PARTS)

PAIR_PARTS = (
    *("head", "neck", "chest", "stomach", "waist (back)", "waist (front)", "back"),
    *("shoulder (back)", "shoulder (front)", "arm", "hand", "leg", "foot", "butt"),
)
SINGLE_PARTS = ("head", "back", "shoulder", "arm", "hand", "leg", "foot", "stomach", "butt", GROUND)


def atoms_of(part: str, side: str | None = None) -> tuple[str, ...]:
    """Atoms of a part.

    Args:
        part: one of PARTS, or an atom, or BODY for all.
        side: of a sided part; None for both halves.

    Raises:
        ValueError: there is no such part, or it has no sides.
    """
    if part == BODY:
        return ATOMS
    if part not in _PARTS and part in ATOMS and side is None:
        return (part,)
    if part not in _PARTS:
        raise ValueError(f"unknown body part {part!r}; known are {', '.join(PARTS)}")
    if side is not None and part not in SIDED_PARTS:
        raise ValueError(f"{part!r} has no {side} side; parts with sides are {', '.join(SIDED_PARTS)}")
    if side is not None and side not in SIDES:
        raise ValueError(f"side {side!r} is neither left nor right")
    sides = (side,) if side else SIDES
    atoms = []
    for atom in _PARTS[part]:
        atoms += [atom.replace(_BOTH, f"{one} ") for one in sides] if _BOTH in atom else [atom]
    return tuple(dict.fromkeys(atoms))
