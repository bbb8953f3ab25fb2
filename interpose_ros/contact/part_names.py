"""How people and language models write body parts, and what is meant."""

from __future__ import annotations

import re

from interpose_ros.contact.body_parts import GROUND, PARTS, SIDED_PARTS

_SYNONYMS = {
    "hands": "hand",
    "palm": "hand",
    "finger": "hand",
    "fingers": "hand",
    "wrist": "hand",
    "forearm": "arm",
    "upper arm": "arm",
    "elbow": "arm",
    "thigh": "leg",
    "shin": "leg",
    "calf": "leg",
    "knee": "leg",
    "lower leg": "leg",
    "upper leg": "leg",
    "feet": "foot",
    "toe": "foot",
    "ankle": "foot",
    "heel": "foot",
    "face": "head",
    "cheek": "head",
    "forehead": "head",
    "chin": "head",
    "hair": "head",
    "ear": "head",
    "belly": "stomach",
    "abdomen": "stomach",
    "tummy": "stomach",
    "torso": "chest",
    "breast": "chest",
    "hip": "waist",
    "side": "waist",
    "lower back": "waist (back)",
    "upper back": "back",
    "spine": "back",
    "bottom": "butt",
    "buttock": "butt",
    "buttocks": "butt",
    "glutes": "butt",
    "waist front": "waist (front)",
    "waist back": "waist (back)",
    "front of waist": "waist (front)",
    "back of waist": "waist (back)",
    "shoulder front": "shoulder (front)",
    "shoulder back": "shoulder (back)",
    "front shoulder": "shoulder (front)",
    "back shoulder": "shoulder (back)",
    "floor": GROUND,
    "mat": GROUND,
}
_SIDE = re.compile(r"\b(left|right)\b")
_FILLER = re.compile(r"\b(the|a|an|his|her|their|person's|person|of|both)\b")


def read_part(text: str) -> tuple[str, str | None, bool] | None:
    """What a written body part means: its name, its side if one is told, and whether it is plural.

    None where no part of the body is recognised.
    """
    lowered = re.sub(r"[*_`\"']", "", text.lower()).strip(" .,:;-")
    sides = _SIDE.findall(lowered)
    plural = "both" in lowered
    bare = " ".join(_FILLER.sub(" ", _SIDE.sub(" ", lowered)).split())
    name = _name(bare)
    if name is None and bare.endswith("s"):
        name = _name(bare[:-1])
        plural = plural or name is not None
    if name is None:
        singular = bare.replace("s (", " (")
        name = _name(singular)
        plural = plural or (name is not None and singular != bare)
    if name is None:
        return None
    plural = (plural or bare in ("hands", "feet")) and name in SIDED_PARTS
    side = sides[0] if len(set(sides)) == 1 and name in SIDED_PARTS else None
    return name, side, plural and side is None


def _name(text: str) -> str | None:
    if text in PARTS or text == GROUND:
        return text
    return _SYNONYMS.get(text)
