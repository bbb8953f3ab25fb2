"""results.json, the table and report.html of a recorded drive that was compared with the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from interpose_ros.evaluation.figures import Figure
from interpose_ros.evaluation.pairs import PairRecord, rotation_bins

CAVEAT = "One trajectory of one scene."
ATTRIBUTION = (
    "Images and ground truth: TUM RGB-D benchmark, freiburg3_long_office_household, Computer Vision Group, Technical "
    "University of Munich, CC BY 4.0. J. Sturm et al., A Benchmark for the Evaluation of RGB-D SLAM Systems, IROS 2012."
)

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .7rem; border-bottom: 1px solid #ddd;
text-align: right } td.text, th.text { text-align: left } .no { color: #b00020 } .yes { color: #1b7a2f }
.strip { display: flex; flex-wrap: wrap; gap: .4rem } figure { margin: 0 } figcaption { font-size: 12px; color: #666 }
"""


def results(
    with_frames: Sequence[PairRecord],
    without_frames: Sequence[PairRecord],
    figures: Mapping[str, Sequence[Figure]],
    further: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The content of results.json: every pair of both runs, and a summary.

    Args:
        with_frames, without_frames: the two runs.
        figures: requirements by run.
        further: more for the summary (versions, positions).
    """
    every = [figure for group in figures.values() for figure in group]
    return {
        "pairs": [record.as_json() for record in with_frames],
        "without_frames": [record.as_json() for record in without_frames],
        "summary": {
            "note": CAVEAT,
            "attribution": ATTRIBUTION,
            "figures_hold": bool(every) and all(figure.holds for figure in every),
            "figures": {run: [figure.as_json() for figure in group] for run, group in figures.items()},
            "by_rotation": rotation_bins(with_frames),
            "by_rotation_without_frames": rotation_bins(without_frames),
            **(further or {}),
        },
    }


def write_results(path: Path, content: Mapping[str, object]) -> None:
    """Write results.json.

    Raises:
        ValueError: a number is not finite; errors that do not exist must be None.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def table_text(records: Sequence[PairRecord]) -> str:
    """The bins of true rotation as a table for a terminal."""
    lines = ["true rotation   pairs  published  right   rotation [deg]  direction [deg]  pair only [deg]  seconds"]
    for row in rotation_bins(records):
        lines.append(
            f"{row['from_deg']:>3} to {row['to_deg']:>3} deg {row['pairs']:>8}{row['published']:>11}{row['right']:>7}"
            f"{_number(row['median_rotation_error_deg']):>17}{_number(row['median_translation_error_deg']):>17}"
            f"{_number(row['median_pair_only_rotation_error_deg']):>17}{_number(row['median_seconds']):>9}"
        )
    lines.append(f"Medians; right: within 5 degrees of rotation and 10 of direction. {CAVEAT}")
    return "\n".join(lines)


def figures_text(figures: Mapping[str, Sequence[Figure]]) -> str:
    """Every requirement on one line."""
    lines = []
    for run, group in figures.items():
        lines.append(f"{run}:")
        for figure in group:
            required = f"{'>=' if figure.at_least else '<='} {figure.limit:g}"
            value = f"{_number(figure.value)} {figure.unit}"
            lines.append(f"  {'holds' if figure.holds else 'FAILS':<6} {figure.name}: {value} (required: {required})")
    return "\n".join(lines)


def report_html(
    with_frames: Sequence[PairRecord],
    without_frames: Sequence[PairRecord],
    figures: Mapping[str, Sequence[Figure]],
    sections: Sequence[tuple[str, str]],
) -> str:
    """One self-contained page.

    Args:
        with_frames, without_frames: the two runs.
        figures: requirements by run.
        sections: further headings with HTML, such as pictures.
    """
    parts = [
        "<h1>A recorded drive, compared with the truth</h1>",
        f"<p><strong>{CAVEAT}</strong> Figures from it say nothing about other places. {escape(ATTRIBUTION)}</p>",
        "<h2>Figures</h2>",
        *(_figures_table(run, group) for run, group in figures.items()),
        "<h2>By true rotation</h2>",
        f"<h3>With the frames in between</h3>{_bins_table(with_frames)}",
        f"<h3>Frames in between withheld</h3>{_bins_table(without_frames)}",
        *(f"<h2>{escape(heading)}</h2>{content}" for heading, content in sections),
        f"<h2>Every pair</h2>{_pairs_table(with_frames)}",
        f"<h2>Every pair, frames withheld</h2>{_pairs_table(without_frames)}",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>interpose_ros demo</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _figures_table(run: str, figures: Sequence[Figure]) -> str:
    rows = []
    for figure in figures:
        verdict = '<td class="text yes">holds</td>' if figure.holds else '<td class="text no">fails</td>'
        required = f"{'&ge;' if figure.at_least else '&le;'} {figure.limit:g} {figure.unit}"
        value = f"<td>{_number(figure.value)} {figure.unit}</td>"
        rows.append(f'<tr><td class="text">{escape(figure.name)}</td>{value}<td>{required}</td>{verdict}</tr>')
    return f"<h3>{escape(run)}</h3><p>{CAVEAT}</p><table>{''.join(rows)}</table>"


def _bins_table(records: Sequence[PairRecord]) -> str:
    heads = (
        "true rotation", "pairs", "published", "right", "rotation error", "direction error", "pair only", "seconds"
    )  # fmt: skip
    rows = ["".join(f"<th>{head}</th>" for head in heads)]
    for row in rotation_bins(records):
        cells = [f"{row['from_deg']} to {row['to_deg']}&deg;", row["pairs"], row["published"], row["right"]]
        names = ("rotation_error_deg", "translation_error_deg", "pair_only_rotation_error_deg", "seconds")
        cells += [_number(row[f"median_{name}"]) for name in names]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table><p>Medians, in degrees. {CAVEAT}</p>"


def _pairs_table(records: Sequence[PairRecord]) -> str:
    heads = ("first", "second", "true rotation", "overlap", "branch", "frames", "rotation error", "direction error",
             "confidence", "pair only", "seconds", "reason")  # fmt: skip
    rows = ["".join(f"<th>{head}</th>" for head in heads)]
    for r in sorted(records, key=lambda record: (record.stamp0, record.stamp1)):
        numbers = (
            r.rotation_error_deg,
            r.translation_error_deg,
            r.confidence,
            r.pair_only_rotation_error_deg,
            r.seconds,
        )
        cells = [f"{r.stamp0 % 1000:.2f}", f"{r.stamp1 % 1000:.2f}", _number(r.true_rotation_deg), _number(r.overlap)]
        cells += [escape(r.branch), str(r.frames_used), *(_number(value) for value in numbers)]
        line = "".join(f"<td>{cell}</td>" for cell in cells) + f'<td class="text">{escape(r.reason)}</td>'
        rows.append(line)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "-" if value is None else str(value)
