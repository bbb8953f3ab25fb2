"""What a language model is asked, and in what form it answers. The schema stands in the prompt too: not every server
passes it on to the model."""

from __future__ import annotations

import json
from typing import Any

from interpose_ros.contact.body_parts import PAIR_PARTS, SINGLE_PARTS

SCHEMA_NAME = "contacts"
_KEYS = {1: ("part", "touches"), 2: ("person_1_part", "person_2_part")}


def answer_schema(people: int) -> dict[str, Any]:
    """JSON schema of an answer about one or two people."""
    parts = list(PAIR_PARTS if people == 2 else SINGLE_PARTS)
    keys = _KEYS[people]
    pair = {
        "type": "object",
        "properties": {key: {"type": "string", "enum": parts} for key in keys},
        "required": list(keys),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"description": {"type": "string"}, "contacts": {"type": "array", "items": pair}},
        "required": ["description", "contacts"],
        "additionalProperties": False,
    }


def prompt(people: int) -> str:
    """The question; sides are not asked for, as models mistake left and right."""
    parts: tuple[str, ...] = PAIR_PARTS if people == 2 else SINGLE_PARTS
    keys = _KEYS[people]
    if people == 2:
        task = (
            "The picture shows two people. Find every pair of body parts, one of each person, that touch. Call either of "
            "them person 1, but stay with it."
        )
    else:
        task = (
            "The picture shows one person. Find every pair of this person's body parts that touch each other, and every "
            "part on the ground."
        )
    example = {
        "description": "a sentence on how the bodies are posed",
        "contacts": [dict(zip(keys, ("hand", "arm"), strict=True))],
    }
    return "\n".join(
        [
            task,
            f"Only these parts: {', '.join(parts)}. Do not say left or right.",
            "List a pair only if you are confident, twice if it touches on both sides; list none if nothing touches.",
            "First describe the pose in one sentence, then list the pairs. Answer with JSON of this form and nothing else:",
            json.dumps(example),
            f"JSON schema: {json.dumps(answer_schema(people))}",
        ]
    )
