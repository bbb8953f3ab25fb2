"""Two runs over the same pairs: is one better than the other, or is it chance?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from interpose_ros.evaluation.accuracy import Accuracy, accuracy_of
from interpose_ros.evaluation.bootstrap import MIN_SCENES, scene_intervals
from interpose_ros.evaluation.metrics import recall
from interpose_ros.evaluation.report.run_folder import RunFolder, RunFolderError

SEED = 0
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs, row by row.

    Attributes:
        rows_a, rows_b: rows of the pairs that both runs have, in the same order.
        only_a, only_b: pairs that one run alone has.
        figures: plain values per figure: both runs', their difference B - A, its interval, and what follows.
    """

    rows_a: list[Row]
    rows_b: list[Row]
    only_a: int
    only_b: int
    figures: list[dict[str, Any]]


def compare_runs(a: RunFolder, b: RunFolder, draws: int = 2000) -> Comparison:
    """Figures of the pairs that both runs have, and their differences with paired intervals over scenes.

    Every draw takes the same scenes from both runs, so what makes a scene hard for both does not count as a difference.

    Raises:
        RunFolderError: the runs have no pair in common.
    """
    of_b = {_key(row): row for row in b.rows}
    both = [(row, of_b[_key(row)]) for row in a.rows if _key(row) in of_b]
    if not both:
        raise RunFolderError(
            f"{a.path} and {b.path} have no pair in common: two runs can be compared that looked at the same images"
        )
    rows_a: list[Row] = [first for first, _ in both]
    rows_b: list[Row] = [second for _, second in both]
    return Comparison(rows_a, rows_b, len(a.rows) - len(both), len(b.rows) - len(both), _figures(rows_a, rows_b, draws))


def _key(row: Row) -> tuple[str, str]:
    """Runs of one set in two places still compare: names and folder of the images, not the whole paths."""
    return _short(row["image0"]), _short(row["image1"])


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:])


def _figures(rows_a: Sequence[Row], rows_b: Sequence[Row], draws: int) -> list[dict[str, Any]]:
    related = np.array([k for k, row in enumerate(rows_a) if row["related"]], dtype=int)
    unrelated = np.array([k for k, row in enumerate(rows_a) if not row["related"]], dtype=int)
    found: list[dict[str, Any]] = []
    if related.size:
        errors = [accuracy_of([rows[k] for k in related], [rows_a[k] for k in related]) for rows in (rows_a, rows_b)]
        found += _differences(
            _ACCURACY, errors, [rows_a[k]["scene"] for k in related], lambda e, k: e.rows(k), draws, better="higher"
        )
    if unrelated.size:
        answered = [
            np.array([float(rows[k]["answered"]) for k in unrelated], dtype=np.float64) for rows in (rows_a, rows_b)
        ]
        found += _differences(
            {"unrelated pairs answered": lambda values: float(values.mean())},
            answered,
            [rows_a[k]["scene"] for k in unrelated],
            lambda values, k: values[k],
            draws,
            better="lower",
        )
    timed = [k for k in range(len(rows_a)) if rows_a[k].get("seconds") and rows_b[k].get("seconds")]
    if timed:
        seconds = [np.array([float(rows[k]["seconds"]) for k in timed], dtype=np.float64) for rows in (rows_a, rows_b)]
        found += _differences(
            {"seconds per pair, mean": lambda values: float(values.mean())},
            seconds,
            [rows_a[k]["scene"] for k in timed],
            lambda values, k: values[k],
            draws,
            better="lower",
            unit="s",
        )
    return found


def _differences(
    figures: Mapping[str, Callable[[Any], float]],
    values: Sequence[Any],
    scenes: Sequence[str],
    chosen: Callable[[Any, Int[np.ndarray, "k"]], Any],
    draws: int,
    better: str,
    unit: str = "share",
) -> list[dict[str, Any]]:
    first, second = values
    intervals = scene_intervals(
        lambda k: {name: figure(chosen(second, k)) - figure(chosen(first, k)) for name, figure in figures.items()},
        scenes,
        SEED,
        draws,
    )
    found = []
    for name, figure in figures.items():
        a, b = figure(first), figure(second)
        interval = intervals.get(name)
        found.append(
            {
                "name": name,
                "unit": unit,
                "a": _plain(a),
                "b": _plain(b),
                "difference": _plain(b - a),
                "interval_95": None if interval is None else list(interval),
                "verdict": _verdict(interval, better),
                "scenes": len(set(scenes)),
            }
        )
    return found


def _verdict(interval: tuple[float, float] | None, better: str) -> str:
    if interval is None:
        return f"not known: fewer than {MIN_SCENES} scenes"
    low, high = interval
    if low <= 0.0 <= high:
        return "no difference shown"
    return "B is better" if (low > 0.0) == (better == "higher") else "A is better"


def _within(limit: float) -> Callable[[Accuracy], float]:
    return lambda accuracy: recall(accuracy.rotation, limit)


def _area(limit: float) -> Callable[[Accuracy], float]:
    return lambda accuracy: accuracy.area(limit)


def _answered(accuracy: Accuracy) -> float:
    return float(np.mean(np.isfinite(accuracy.rotation)))


_ACCURACY: Mapping[str, Callable[[Accuracy], float]] = {
    "answered": _answered,
    "rotation within 5°": _within(5.0),
    "rotation within 15°": _within(15.0),
    "rotation within 30°": _within(30.0),
    "AUC at 5°": _area(5.0),
    "AUC at 10°": _area(10.0),
    "AUC at 20°": _area(20.0),
    "AUC at 30°": _area(30.0),
}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def rotation_errors(rows: Sequence[Row]) -> Float[np.ndarray, "n"]:
    """Rotation errors in degrees; infinite for refusals, NaN for pairs without truth."""
    return np.array(
        [
            np.nan if not row["related"] else np.inf if row["rotation_error_deg"] is None else row["rotation_error_deg"]
            for row in rows
        ],
        dtype=np.float64,
    )
