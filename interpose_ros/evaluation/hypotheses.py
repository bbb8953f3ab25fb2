"""The hypotheses of a run apart from its answers: each kind by itself, and the best that there was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
PAIR_ONLY = "pair only"


def hypotheses_by_kind(rows: Sequence[Row]) -> list[tuple[dict[str, Any], list[Row | None]]]:
    """One hypothesis per pair of every kind: estimator, and where its frames came from.

    Of several hypotheses of one kind for a pair (several clips) it is the selected one, else the first. None where a pair
    has none of that kind, which counts as a miss.
    """
    kinds = sorted({_kind(c) for row in rows for c in row["candidates"]}, key=lambda kind: (kind[1] != PAIR_ONLY, kind))
    found: list[tuple[dict[str, Any], list[Row | None]]] = []
    for estimator, frames in kinds:
        chosen = [_of_kind(row, (estimator, frames)) for row in rows]
        kind = {
            "estimator": estimator,
            "frames": frames,
            "tried": sum(candidate is not None for candidate in chosen),
            "selected": sum(candidate is not None and candidate["selected"] for candidate in chosen),
        }
        found.append((kind, chosen))
    return found


def oracle_hypotheses(rows: Sequence[Row]) -> list[Row | None]:
    """Per pair the hypothesis with the smallest rotation error, which only who knows the truth can choose."""
    chosen: list[Row | None] = []
    for row in rows:
        known = [c for c in row["candidates"] if c["rotation_error_deg"] is not None]
        chosen.append(min(known, key=lambda c: c["rotation_error_deg"]) if known else None)
    return chosen


def _kind(candidate: Row) -> tuple[str, str]:
    return candidate["estimator"], candidate["interpolator"] or PAIR_ONLY


def _of_kind(row: Row, kind: tuple[str, str]) -> Row | None:
    found = [candidate for candidate in row["candidates"] if _kind(candidate) == kind]
    return next((candidate for candidate in found if candidate["selected"]), found[0] if found else None)
