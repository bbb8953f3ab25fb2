"""Writes the tables of docs/confidence.md from what `interpose calibrate` wrote.

    python tools/confidence_tables.py DIR OTHERS

DIR holds calibration files and ``observations.jsonl``; of OTHERS, which is of other scenes, only the observations are used.
A table stands between ``<!-- NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interpose_ros.answer import Branch
from interpose_ros.config import DecisionConfig
from interpose_ros.estimators.keyframes import MATCHES, SECOND_OPINION
from interpose_ros.evaluation.calibrate_command import EVIDENCE, RIVALS
from interpose_ros.evaluation.calibration import TARGETS, Observation, left_out_probabilities
from interpose_ros.evaluation.held_out import FALSE_DEG, ranking, rivals_of
from interpose_ros.evaluation.metrics import brier_score, clopper_pearson_upper
from interpose_ros.evaluation.observations import Subject, observations_by_subject
from interpose_ros.selection.confidence import Calibration, calibrations_in

PAGE = Path("docs/confidence.md")
NETWORKS = {MATCHES: "XFeat, LighterGlue", SECOND_OPINION: "ALIKED, LightGlue"}
FRAMES = "features"
ESTIMATORS = {
    **{name: (Branch.MATCHES.value, networks) for name, networks in NETWORKS.items()},
    FRAMES: (Branch.FRAMES.value, "over frames in between"),
}
"""Branch of an estimator, and what the tables call it."""
THRESHOLDS = (0.7, 0.8, 0.9, 0.95)
ON_OTHERS = (0.8, 0.95)
BOTH = "both, as the pipeline asks them"

ASKED_AGAIN_BELOW = DecisionConfig().min_confidence

Row = Mapping[str, Any]
Pair = tuple[str, str]


Probabilities = Callable[[Subject, Sequence[Observation]], np.ndarray]
"""The probabilities of a subject's estimates that their rotation is right."""


@dataclass(frozen=True)
class Estimate:
    """One estimate, and the probability that it is right."""

    probability: float
    observation: Observation


def main() -> None:
    """Replace the tables in the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("others", type=Path, metavar="OTHERS")
    options = parser.parse_args()
    calibrations = calibrations_in(options.folder)
    judged = {
        name: json.loads((options.folder / f"{branch}_{name}.json").read_text())["left_out_scenes"]
        for name, (branch, _) in ESTIMATORS.items()
        if (branch, name) in calibrations
    }
    rows, others = (_rows_of(folder) for folder in (options.folder, options.others))
    tables = {
        "probabilities": probabilities(judged),
        "ranking": ranking_table(judged, rows),
        "published": published(judged),
        "together": together(rows),
        "ellipsoids": ellipsoids(judged),
        "frames": frames(rows),
        "others": on_others(calibrations, judged, others),
    }
    page = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        page, count = re.subn(
            rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", lambda m, t=table: m[1] + t + m[2], page, flags=re.DOTALL
        )
        if count != 1:
            raise SystemExit(f"{PAGE} has {count} places for the table {name}; one is needed")
    PAGE.write_text(page, encoding="utf-8")


def _rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "observations.jsonl").read_text(encoding="utf-8").splitlines()]


def probabilities(judged: Mapping[str, Row]) -> str:
    """Brier score and log loss beside the constant's."""
    lines = []
    for name, figures in judged.items():
        for target in TARGETS:
            found = figures[target.name]
            lines.append(
                [
                    ESTIMATORS[name][1],
                    f"{target.error} within {target.degrees:g}°",
                    f"{found['count']}, {found['right']}",
                    f"{found['brier']:.3f} ({found['brier_constant']:.3f})",
                    _gain(found["brier_gain"], 3),
                    f"{found['log_loss']:.3f} ({found['log_loss_constant']:.3f})",
                    _gain(found["log_loss_gain"], 3),
                ]
            )
    head = "networks|probability of|estimates, right|Brier score (constant)|gain|log loss (constant)|gain"
    return _table(head, lines)


def ranking_table(judged: Mapping[str, Row], rows: Sequence[Row]) -> str:
    """Area under the risk-coverage curve beside that of plain evidence: of each set of networks, and of the pipeline."""
    found = {ESTIMATORS[name][1]: figures["risk_coverage"] for name, figures in judged.items()}
    found[BOTH] = ranking_of_answers(rows)
    lines = []
    for name, figures in found.items():
        line = [name, f"{figures['area']:.4f}"]
        for rival in ("inliers", "overlap"):
            gain = figures[f"gain_over_{rival}"]
            line += [f"{figures[f'area_by_{rival}']:.4f}", _gain(gain, 4), _yes(gain["holds"])]
        lines.append(line)
    return _table("networks|by confidence|by verified matches|gain|shown|by overlap|gain|shown", lines)


def ranking_of_answers(rows: Sequence[Row]) -> Row:
    """The same of the pipeline's best estimate for each everyday pair that has one: its confidence, its verified matches,
    and the overlap that the answer names, which is the first networks'."""
    return _ranking_of_pairs(estimates_by_pair(rows, left_out), _everyday(rows))


def _ranking_of_pairs(found: Mapping[Pair, Mapping[str, Estimate]], pairs: set[Pair]) -> Row:
    probability, inliers, overlap, wrong, scenes = [], [], [], [], []
    for pair in sorted(pairs & found.keys()):
        estimates = found[pair]
        sure = _first_sure(estimates, ASKED_AGAIN_BELOW)
        best = sure or max(estimates.values(), key=lambda estimate: estimate.probability)
        probability.append(best.probability)
        inliers.append(best.observation.evidence["inliers"])
        overlap.append(estimates[MATCHES].observation.evidence["coverage"] if MATCHES in estimates else 0.0)
        wrong.append(not best.observation.rotation_error <= TARGETS[0].degrees)
        scenes.append(best.observation.scene)
    rivals = {"inliers": np.array(inliers), "overlap": np.array(overlap)}
    return ranking(np.array(probability), rivals, np.array(wrong), scenes)


def published(judged: Mapping[str, Row]) -> str:
    """False accepts of each set of networks by itself."""
    lines = []
    for name, figures in judged.items():
        found = figures["published"]
        kinds = (
            f"{kind.replace('_', ' ')} {seen['accepted']} of {seen['estimates']}"
            for kind, seen in found["look_alikes"].items()
        )
        lines.append([ESTIMATORS[name][1], *_accepts(found["everyday"]), ", ".join(kinds)])
    return _table("networks|estimates|accepted|false|at most|look-alikes accepted", lines)


def together(rows: Sequence[Row]) -> str:
    """False accepts as the pipeline asks both networks, by threshold."""
    found = estimates_by_pair(rows, left_out)
    lines = [[f"{threshold:g}", *_accepted_of(found, rows, threshold)] for threshold in THRESHOLDS]
    return _table("least confidence|accepted|of the pairs of one place|false|at most", lines)


def _accepted_of(found: Mapping[Pair, Mapping[str, Estimate]], rows: Sequence[Row], threshold: float) -> list[str]:
    """Everyday pairs that are accepted, how many of those of one place are, and how many are false."""
    answers = {pair: _first_sure(found.get(pair, {}), threshold) for pair in _everyday(rows)}
    accepted = [answer.observation for answer in answers.values() if answer is not None]
    of_one_place = [answers[pair] is not None for pair in _everyday(rows) & _of_one_place(rows)]
    share = f"{sum(of_one_place)} of {len(of_one_place)} ({100 * np.mean(of_one_place):.0f} %)"
    return [str(len(accepted)), share, *_false_of(accepted)]


def _false_of(accepted: Sequence[Observation]) -> list[str]:
    false = sum(not answer.rotation_error <= FALSE_DEG for answer in accepted)
    return _false(false, len(accepted), clopper_pearson_upper(false, len(accepted)))


def on_others(calibrations: Mapping[Pair, Calibration], judged: Mapping[str, Row], rows: Sequence[Row]) -> str:
    """The calibrations on everyday pairs of other scenes; the constant is the share of right ones where they were fitted.

    Args:
        calibrations: by branch and estimator.
        judged: their figures on the scenes that they were fitted to.
        rows: observations of the other scenes.
    """

    def given(subject: Subject, observations: Sequence[Observation]) -> np.ndarray:
        model = calibrations[subject.branch, subject.estimator].rotation_5deg
        return np.array([model.probability(o.evidence) for o in observations])

    lines = []
    for subject, observations in observations_by_subject(rows).items():
        key = (subject.branch, subject.estimator)
        if key not in calibrations:
            continue
        if calibrations[key].model_hash != subject.model_hash:
            raise SystemExit(
                f"the other scenes were seen with another model of {subject.estimator}: calibrate both anew"
            )
        seen = [o for o in observations if not o.look_alike]
        probability, right = given(subject, seen), TARGETS[0].right(seen)
        fitted = judged[subject.estimator][TARGETS[0].name]
        constant = np.full(len(seen), fitted["right"] / fitted["count"])
        ranked = ranking(probability, rivals_of(seen, RIVALS[subject.branch]), ~right, [o.scene for o in seen])
        accepted = ([o for o, p in zip(seen, probability, strict=True) if p >= threshold] for threshold in ON_OTHERS)
        counts = ([str(len(some)), *_false_of(some)] for some in accepted)
        brier = f"{brier_score(probability, right):.3f} ({brier_score(constant, right):.3f})"
        lines.append([ESTIMATORS[subject.estimator][1], str(len(seen)), brier, *_ranks(ranked), *_joined(counts)])
    found = estimates_by_pair(rows, given)
    pairs = _everyday(rows)
    answers = (_accepted_of(found, rows, threshold) for threshold in ON_OTHERS)
    counts = ([accepted, *false] for accepted, _, *false in answers)
    lines.append([BOTH, f"{len(pairs)} pairs", "", *_ranks(_ranking_of_pairs(found, pairs)), *_joined(counts)])
    return _table(
        "networks|estimates|Brier score (constant)|area by confidence|by verified matches, gain|by overlap, gain|"
        + "|".join(f"accepted at {threshold:g}, false, at most" for threshold in ON_OTHERS),
        lines,
    )


def _ranks(found: Row) -> list[str]:
    gains = (
        f"{found[f'area_by_{rival}']:.4f}, {_gain(found[f'gain_over_{rival}'], 4)}" for rival in ("inliers", "overlap")
    )
    return [f"{found['area']:.4f}", *gains]


def _joined(accepted: Iterable[Sequence[str]]) -> list[str]:
    return [", ".join(counts) for counts in accepted]


def left_out(subject: Subject, observations: Sequence[Observation]) -> np.ndarray:
    """Probabilities from fits without the scene that they are of."""
    right = TARGETS[0].right(observations)
    return left_out_probabilities(observations, right, EVIDENCE[subject.branch, subject.estimator])[0]


def estimates_by_pair(rows: Sequence[Row], given: Probabilities) -> dict[Pair, dict[str, Estimate]]:
    """What each set of networks said of each pair by its keyframes, with the given probabilities."""
    found: dict[Pair, dict[str, Estimate]] = {}
    for subject, observations in observations_by_subject(rows).items():
        if subject.branch != Branch.MATCHES.value:
            continue
        answered = [r for r in rows if (r["branch"], r["estimator"]) == (subject.branch, subject.estimator)]
        answered = [r for r in answered if r["evidence"] is not None]
        for row, probability, observation in zip(answered, given(subject, observations), observations, strict=True):
            pair = found.setdefault((row["image0"], row["image1"]), {})
            pair[subject.estimator] = Estimate(float(probability), observation)
    return found


def _everyday(rows: Sequence[Row]) -> set[Pair]:
    return {(r["image0"], r["image1"]) for r in rows if r["branch"] == Branch.MATCHES.value and not r["look_alike"]}


def _of_one_place(rows: Sequence[Row]) -> set[Pair]:
    return {(r["image0"], r["image1"]) for r in rows if r["related"]}


def ellipsoids(judged: Mapping[str, Row]) -> str:
    """How many truths the 90 % ellipsoids hold."""
    lines = []
    for name, figures in judged.items():
        for error, found in figures["ellipsoid_coverage_90"].items():
            low, high = found["interval_95"]
            share = f"{100 * found['share']:.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"
            lines.append([ESTIMATORS[name][1], error, str(found["count"]), share, _yes(found["holds_80_to_97"])])
    return _table("networks|of|answers|truth inside|shown to lie between 80 and 97 %", lines)


def frames(rows: Sequence[Row]) -> str:
    """What became of sequences with frames in between."""
    counts = Counter((_kind(r), _outcome(r)) for r in rows if r["branch"] == Branch.FRAMES.value)
    kinds = ("of one place", "of two places, the stream cut", "look-alikes")
    lines = [[kind, *(str(counts[kind, what]) for what in ("refused", "right", "wrong"))] for kind in kinds]
    return _table("sequences|without a pose|right|wrong", lines)


def _first_sure(found: Mapping[str, Estimate], threshold: float) -> Estimate | None:
    for name in NETWORKS:
        if name in found and found[name].probability >= threshold:
            return found[name]
    return None


def _kind(row: Row) -> str:
    if row["look_alike"]:
        return "look-alikes"
    return "of one place" if row["related"] else "of two places, the stream cut"


def _outcome(row: Row) -> str:
    if row["evidence"] is None:
        return "refused"
    return "right" if row["related"] and row["rotation_error_deg"] <= TARGETS[0].degrees else "wrong"


def _accepts(found: Row) -> list[str]:
    count, accepted = found["estimates"], found["accepted"]
    share = f"{accepted} ({100 * accepted / count:.0f} %)"
    return [str(count), share, *_false(found["false"], accepted, found["upper_95"])]


def _false(false: int, accepted: int, bound: float) -> list[str]:
    return [f"{false} ({100 * false / accepted:.2f} %)" if accepted else "0", f"{100 * bound:.2f} %"]


def _gain(gain: Row, digits: int) -> str:
    low, high = gain["interval_95"]
    return f"{gain['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _table(head: str, lines: Sequence[Sequence[str]]) -> str:
    columns = head.split("|")
    rows = [f"| {' | '.join(line)} |" for line in (columns, *lines)]
    return "\n".join([rows[0], "|---" * len(columns) + "|", *rows[1:]])


if __name__ == "__main__":
    main()
