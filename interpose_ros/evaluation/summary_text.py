"""The headline figures of a run for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary_text(summary: Mapping[str, Any]) -> str:
    """A few lines: errors with their intervals, one line per kind of hypothesis, confidence, time."""
    intervals = summary["intervals"]["figures"]
    related = summary["answered"] + summary["refused"]
    lines = [
        f"pairs {summary['n']}, of {summary['scenes']} scenes: {summary['answered']} of {related} answered, "
        f"{summary['unrelated']['answered']} of {summary['unrelated']['of']} unrelated answered"
    ]
    if related:
        lines += [
            f"rotation error     mean {_number(summary['mre_deg'])}{_interval(intervals, 'mre_deg')} deg, "
            f"median {_number(summary['median_rotation_deg'])}{_interval(intervals, 'median_rotation_deg')} deg",
            f"translation error  mean {_number(summary['mte_deg']['signed'])} deg, "
            f"sign-blind {_number(summary['mte_deg']['sign_blind'])} deg",
            "within 5/15/30 deg " + _recalls(summary, "rotation") + " % rotation, "
            + _recalls(summary, "translation") + " % translation (refusals are misses)",
            "AUC 5/10/20/30 deg " + "/".join(_percent(value) for value in summary["auc"].values())
            + f" %, min of rotation and translation at 30: {_percent(summary['auc30_min'])} %",
            "",
            f"{'hypothesis':<34}{'tried':>6}{'found':>7}{'MRE':>8}{'MTE':>8}{'<5 deg':>9}{'AUC30':>8}",
            *(_hypothesis(f"{h['estimator']}, {h['frames']}", h["tried"], h) for h in summary["hypotheses"]),
            _hypothesis("best of all (oracle)", related, summary["oracle"]),
            _hypothesis("answers", related, summary),
        ]  # fmt: skip
    confidence = summary["confidence"]
    if confidence["n"]:
        accepts = confidence["false_accepts"]
        lines += [
            "",
            f"confidence         Brier {_number(confidence['brier'], 3)} (constant "
            f"{_number(confidence['brier_constant'], 3)}), log loss {_number(confidence['log_loss'], 3)} (constant "
            f"{_number(confidence['log_loss_constant'], 3)}), "
            f"AURC {_number(confidence['aurc'], 3)}",
            f"at {accepts['threshold']:g} and more    {accepts['accepted']} of {confidence['n']} accepted, "
            f"{accepts['more_than_15_deg_off']} more than 15 deg off (at most {_percent(accepts['upper_95'])} %, 95 %)",
        ]
    if summary["seconds_per_pair"] is not None:
        lines.append(f"time               {summary['seconds_per_pair']:.2f} s per pair, median")
    return "\n".join(lines)


def _hypothesis(name: str, tried: int, figures: Mapping[str, Any]) -> str:
    return (
        f"{name:<34}{tried:>6}{figures['answered']:>7}{_number(figures['mre_deg']):>8}"
        f"{_number(figures['mte_deg']['signed']):>8}{_percent(figures['recall_deg']['5']['rotation']):>7} %"
        f"{_percent(figures['auc']['30']):>6} %"
    )


def _recalls(summary: Mapping[str, Any], which: str) -> str:
    return "/".join(_percent(recall[which]) for recall in summary["recall_deg"].values())


def _interval(intervals: Mapping[str, Any], name: str) -> str:
    return f" ({intervals[name][0]:.2f} to {intervals[name][1]:.2f})" if name in intervals else ""


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
