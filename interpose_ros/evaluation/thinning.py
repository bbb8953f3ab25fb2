"""What remains of an answer when frames in between are taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from interpose_ros.evaluation.pairs import PairRecord

T = TypeVar("T")

WIDE_DEG = 45.0
"""Pairs of this true rotation and more are what frames in between are for."""


def thinned(frames: Sequence[T], one_of: int) -> list[T]:
    """One of every ``one_of`` frames, the others removed: the second, the fifth and so on of three."""
    return list(frames[one_of // 2 :: one_of])


def wide(records: Sequence[PairRecord]) -> list[PairRecord]:
    """The pairs of a wide true rotation."""
    return [r for r in records if r.true_rotation_deg is not None and r.true_rotation_deg >= WIDE_DEG]


def thinning_curve(records_by_share: Mapping[str, Sequence[PairRecord]]) -> list[dict[str, object]]:
    """For every share of frames that was left: of the wide pairs, how many were published and right, and wrong."""
    rows: list[dict[str, object]] = []
    for left, records in records_by_share.items():
        inside = wide(records)
        published = [r for r in inside if r.published]
        far_off = [r for r in published if r.rotation_error_deg is not None and r.rotation_error_deg > 15.0]
        right = sum(r.right for r in inside)
        rows.append(
            {
                "frames_left": left,
                "pairs": len(inside),
                "published": len(published),
                "right": right,
                "right_percent": 100.0 * right / len(inside) if inside else None,
                "more_than_15_deg_off": len(far_off),
            }
        )
    return rows


def thinning_text(curve: Sequence[Mapping[str, object]]) -> str:
    """The curve as a table for a terminal."""
    lines = [f"pairs of {WIDE_DEG:g} degrees and more, with fewer frames in between"]
    lines.append("frames left     pairs  published  right        more than 15 degrees off")
    for row in curve:
        lines.append(
            f"{row['frames_left']:<12}{row['pairs']:>9}{row['published']:>11}{row['right']:>7}"
            f"{_percent(row['right_percent']):>7}{row['more_than_15_deg_off']:>19}"
        )
    return "\n".join(lines)


def thinning_html(curve: Sequence[Mapping[str, object]]) -> str:
    """The curve as a table of the report."""
    heads = ("frames left", "pairs", "published", "right", "share", "more than 15&deg; off")
    rows = ["".join(f"<th>{head}</th>" for head in heads)]
    for row in curve:
        names = ("frames_left", "pairs", "published", "right")
        cells = [str(row[name]) for name in names]
        cells += [_percent(row["right_percent"]), str(row["more_than_15_deg_off"])]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    return (
        f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table><p>Pairs of {WIDE_DEG:g} degrees and more; right: "
        "within 5 degrees of rotation and 10 of translation direction.</p>"
    )


def _percent(share: object) -> str:
    return f"{share:.0f} %" if isinstance(share, float) else "-"
