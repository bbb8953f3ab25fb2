"""A language model's answer, read: JSON, a Markdown table, either with prose around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from interpose_ros.contact.body_parts import GROUND
from interpose_ros.contact.constraints import Contact, ContactEnd
from interpose_ros.contact.part_names import read_part


@dataclass(frozen=True)
class ReadAnswer:
    """What an answer says.

    Attributes:
        contacts: in the order of the answer; a plural counts twice, for both sides.
        dropped: pairs that name something unknown, as written.
        understood: whether there was a list at all, be it an empty one.
    """

    contacts: tuple[Contact, ...]
    dropped: tuple[str, ...]
    understood: bool


def read_answer(text: str, people: int, keep_sides: bool = False) -> ReadAnswer:
    """Read an answer.

    Args:
        text: as the model wrote it.
        people: one or two in the picture.
        keep_sides: believe left and right. By default not: language models mistake them.
    """
    pairs = _json_pairs(text)
    if pairs is None:
        pairs = _table_pairs(text)
    if pairs is None:
        return ReadAnswer((), (), understood=False)
    contacts: list[Contact] = []
    dropped: list[str] = []
    for first, second in pairs:
        # "hand/arm" stands for either; each is a contact of its own, as in the paper.
        for one in first.split("/"):
            for other in second.split("/"):
                found = _contacts(one, other, people, keep_sides)
                if found is None:
                    dropped.append(f"{one.strip()} - {other.strip()}")
                else:
                    contacts += found
    return ReadAnswer(tuple(contacts), tuple(dropped), understood=True)


def _contacts(first: str, second: str, people: int, keep_sides: bool) -> list[Contact] | None:
    read = [read_part(first), read_part(second)]
    if read[0] is None or read[1] is None:
        return None
    (a, side_a, many_a), (b, side_b, many_b) = read[0], read[1]
    if a == GROUND:
        (a, side_a, many_a), (b, side_b, many_b) = (b, side_b, many_b), (a, side_a, many_a)
    if a == GROUND:
        return None
    one = ContactEnd(0, a, side_a if keep_sides else None)
    other = ContactEnd(-1, GROUND) if b == GROUND else ContactEnd(people - 1, b, side_b if keep_sides else None)
    if people == 1 and other < one and other.part != GROUND:
        one, other = other, one
    return [Contact(one, other)] * (2 if many_a or many_b else 1)


def _json_pairs(text: str) -> list[tuple[str, str]] | None:
    """Pairs of the first JSON value in the text that lists some; None where there is none."""
    decoder = json.JSONDecoder()
    for start in (match.start() for match in re.finditer(r"[\[{]", text)):
        try:
            value, _ = decoder.raw_decode(text, start)
        except ValueError:
            continue
        pairs = _pairs_of(value)
        if pairs is not None:
            return pairs
    return None


def _pairs_of(value: object) -> list[tuple[str, str]] | None:
    if isinstance(value, dict):
        for key in ("contacts", "pairs", "touching"):
            if isinstance(value.get(key), list):
                return _pairs_of(value[key])
        return None
    if not isinstance(value, list):
        return None
    pairs = [pair for pair in map(_pair_of, value) if pair is not None]
    return pairs if pairs or not value else None


def _pair_of(item: object) -> tuple[str, str] | None:
    values: Iterable[object] = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    texts = [value for value in values if isinstance(value, str)]
    return (texts[0], texts[1]) if len(texts) >= 2 else None


def _table_pairs(text: str) -> list[tuple[str, str]] | None:
    """Rows of Markdown tables, without headings and rules; None where there is no table."""
    pairs, seen = [], False
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.count("|") < 2 and not (line.count("|") == 1 and line.strip().strip("|")):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 2:
            continue
        if all(set(cell) <= set("-: ") for cell in cells):
            seen = True
            continue
        following = lines[number + 1] if number + 1 < len(lines) else ""
        is_heading = "|" in following and set(following) <= set("|-: ")
        if not is_heading and cells[0] and cells[1]:
            pairs.append((cells[0], cells[1]))
    return pairs if seen or pairs else None
