"""The few figures at the top of a report, each with its interval over scenes where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def headline(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Label, text, interval as text, and an explanation of every figure that the summary has."""
    intervals = (summary.get("intervals") or {}).get("figures") or {}
    related = (summary.get("answered") or 0) + (summary.get("refused") or 0)
    unrelated = summary.get("unrelated") or {}
    recall = summary.get("recall_deg") or {}
    confidence = summary.get("confidence") or {}
    false = confidence.get("false_accepts") or {}
    cards = [
        _card("answered", f"{summary.get('answered')} of {related}", None, "related pairs; the others were refused")
    ]
    for limit in ("5", "15"):
        share = (recall.get(limit) or {}).get("rotation")
        cards.append(
            _card(
                f"rotation within {limit}°",
                _percent(share),
                _interval(intervals.get(f"recall_deg.{limit}.rotation"), _percent),
                "of all related pairs; a refusal is a miss",
            )
        )
    cards.append(
        _card(
            "rotation error, median",
            _degrees(summary.get("median_rotation_deg")),
            _interval(intervals.get("median_rotation_deg"), _degrees),
            "of the answers",
        )
    )
    mte = summary.get("mte_deg") or {}
    cards.append(
        _card(
            "direction error, mean",
            _degrees(mte.get("signed")),
            _interval(intervals.get("mte_deg.signed"), _degrees),
            f"with sign, 0 to 180°; blind to the sign, as papers report it: {_degrees(mte.get('sign_blind'))}",
        )
    )
    auc = summary.get("auc") or {}
    cards.append(
        _card(
            "AUC at 30°",
            _percent(auc.get("30")),
            _interval(intervals.get("auc.30"), _percent),
            "area under recall of the larger of both errors",
        )
    )
    if unrelated.get("of"):
        cards.append(
            _card(
                "unrelated pairs answered",
                f"{unrelated['answered']} of {unrelated['of']}",
                None,
                "pairs of two places: the only right answer is a refusal",
            )
        )
    if confidence.get("n"):
        cards.append(
            _card(
                "Brier score",
                _number(confidence.get("brier")),
                _interval(intervals.get("confidence.brier"), _number),
                f"of the confidence; the best constant reaches {_number(confidence.get('brier_constant'))}",
            )
        )
    if false.get("accepted"):
        cards.append(
            _card(
                "false accepts",
                f"{false['more_than_15_deg_off']} of {false['accepted']}",
                f"at most {_percent(false.get('upper_95'))}",
                f"more than 15° off at confidence {false['threshold']:g}; bound: one-sided, 95 %",
            )
        )
    seconds = summary.get("seconds_per_pair")
    cards.append(_card("time per pair, median", "–" if seconds is None else f"{seconds:.2g} s", None, "wall clock"))
    return cards


def _card(label: str, value: str, interval: str | None, note: str) -> dict[str, Any]:
    return {"label": label, "value": value, "interval": interval, "note": note}


def _interval(ends: Any, text: Any) -> str | None:
    return None if not ends else f"{text(ends[0])} to {text(ends[1])}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _degrees(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}°" if value < 10 else f"{value:.0f}°"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
