"""Reliability diagram of a calibration as an SVG file: what was said beside what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

SIZE, MARGIN = 320, 48


def reliability_svg(title: str, subtitle: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """The diagram of the bins that ``held_out.reliability`` makes. Readable on light and on dark pages."""
    side = SIZE - 2 * MARGIN

    def x(value: float) -> float:
        return MARGIN + side * value

    def y(value: float) -> float:
        return SIZE - MARGIN - side * value

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE + 24}" width="{SIZE}" height="{SIZE + 24}" '
        'font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(title)}</title>",
        "<style>.a{stroke:#8a8f98;fill:none}.t{fill:#6b7280}.p{fill:#2563eb;stroke:#2563eb}</style>",
        f'<text class="t" x="{SIZE / 2}" y="16" text-anchor="middle" font-weight="bold">{escape(title)}</text>',
        f'<text class="t" x="{SIZE / 2}" y="32" text-anchor="middle">{escape(subtitle)}</text>',
        f'<rect class="a" x="{x(0.0)}" y="{y(1.0)}" width="{side}" height="{side}"/>',
        f'<line class="a" stroke-dasharray="4 4" x1="{x(0.0)}" y1="{y(0.0)}" x2="{x(1.0)}" y2="{y(1.0)}"/>',
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        lines.append(f'<text class="t" x="{x(tick)}" y="{y(0.0) + 14}" text-anchor="middle">{tick:g}</text>')
        lines.append(f'<text class="t" x="{x(0.0) - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>')
    for bin_ in bins:
        low, high = bin_["interval_95"]
        at = x(bin_["probability"])
        lines.append(f'<line class="p" x1="{at:.1f}" y1="{y(low):.1f}" x2="{at:.1f}" y2="{y(high):.1f}"/>')
        lines.append(
            f'<circle class="p" cx="{at:.1f}" cy="{y(bin_["right"]):.1f}" r="4"><title>{bin_["count"]} estimates, said '
            f"{bin_['probability']:.2f}, right {bin_['right']:.2f}</title></circle>"
        )
    lines += [
        f'<text class="t" x="{SIZE / 2}" y="{SIZE - 14}" text-anchor="middle">probability that was given</text>',
        f'<text class="t" transform="translate(14 {SIZE / 2}) rotate(-90)" text-anchor="middle">share that was right</text>',
        f'<text class="t" x="{SIZE / 2}" y="{SIZE + 8}" text-anchor="middle">scenes left out of the fit; bars: exact 95 % '
        "intervals</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
