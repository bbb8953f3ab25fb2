"""``interpose calibrate``: probabilities for poses from the keyframes alone, fitted to pairs with known truth."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from interpose_ros.answer import Branch, Candidate
from interpose_ros.evaluation.calibration import (
    CalibrationError,
    Observation,
    fit_logistic,
    judge,
    left_out_probabilities,
    right_within,
)
from interpose_ros.evaluation.images import load_view
from interpose_ros.evaluation.pair_files import LabelledPair, load_pair_file
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.refusal import Refusal

EVIDENCE = ("log_inliers", "inlier_ratio", "coverage", "match_score")
"""What the probabilities are made of."""

LIMITS = {
    "rotation_5deg": ("rotation", 5.0),
    "rotation_15deg": ("rotation", 15.0),
    "direction_10deg": ("direction", 10.0),
}


_ERROR: dict[str, Callable[[Observation], float]] = {
    "rotation": lambda observation: observation.rotation_error,
    "direction": lambda observation: observation.direction_error,
}


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("calibrate", help="fit the confidence of poses from keyframes alone to known pairs")
    parser.add_argument("pairs", type=Path, metavar="PAIRS.json", help="pairs of at least five scenes, negatives too")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for one JSON file per estimator")
    parser.add_argument("--sample", type=int, metavar="N", help="take that many pairs at random (default: all)")
    parser.add_argument("--data", required=True, metavar="TEXT", help="what the pairs are, for whoever reads the file")
    parser.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from interpose_ros.config import InterposeConfig

    pairs: Sequence[LabelledPair] = load_pair_file(options.pairs)
    if options.sample and options.sample < len(pairs):
        chosen = np.random.default_rng(0).permutation(len(pairs))[: options.sample]
        pairs = [pairs[int(index)] for index in chosen]
    pipeline = InterposePipeline.from_config(InterposeConfig())
    seen: dict[str, list[Observation]] = {}
    for pair in tqdm(pairs, unit="pair"):
        for estimator, observation in observe(pair, pipeline):
            seen.setdefault(estimator, []).append(observation)
    options.out.mkdir(parents=True, exist_ok=True)
    for estimator, observations in seen.items():
        content = calibration(estimator, observations, options.data)
        path = options.out / f"matches_{estimator}.json"
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        print(f"{path}\n{json.dumps(content['left_out_scenes'], indent=2)}")
    return 0


def observe(pair: LabelledPair, pipeline: InterposePipeline) -> Iterator[tuple[str, Observation]]:
    """What each set of networks makes of a pair, beside the truth; nothing where it makes nothing of it."""
    view_a = load_view(pair.image_a, pair.intrinsics_a, pair.distortion_a, 0)
    view_b = load_view(pair.image_b, pair.intrinsics_b, pair.distortion_b, 1)
    for candidate in pipeline.from_keyframes(view_a, view_b):
        observation = compared(candidate, pair)
        if observation is not None:
            yield candidate.estimator, observation


def compared(candidate: Candidate, pair: LabelledPair) -> Observation | None:
    """A hypothesis beside the truth; None where it is a refusal."""
    result = candidate.result
    if isinstance(result, Refusal):
        return None
    if pair.T_b_a is None:
        return Observation(pair.scene, result.evidence, math.inf, math.inf)
    direction_error = math.nan
    if result.direction_b_a is not None and np.linalg.norm(pair.T_b_a[:3, 3]) > 0:
        direction_error = float(direction_distance(result.direction_b_a, pair.T_b_a[:3, 3]))
    return Observation(
        pair.scene, result.evidence, float(rotation_distance(result.R_b_a, pair.T_b_a[:3, :3])), direction_error
    )


def calibration(estimator: str, observations: Sequence[Observation], data: str) -> dict[str, Any]:
    """The content of a calibration file.

    Raises:
        CalibrationError: there is too little to calibrate on.
    """
    models: dict[str, Any] = {}
    left_out: dict[str, Any] = {}
    for name, (what, degrees) in LIMITS.items():
        rows = [o for o in observations if what == "rotation" or not math.isnan(o.direction_error)]
        right = right_within(rows, _ERROR[what], math.radians(degrees))
        try:
            models[name] = asdict(fit_logistic(rows, right, EVIDENCE))
            left_out[name] = asdict(judge(*left_out_probabilities(rows, right, EVIDENCE), right))
        except CalibrationError as error:
            raise CalibrationError(f"{estimator}, {name}: {error}") from error
    scenes = {o.scene for o in observations}
    today = date.today().isoformat()
    return {
        "calibration_id": f"{estimator}-{today}",
        "branch": Branch.MATCHES.value,
        "estimator": estimator,
        "description": f"{data}; {len(observations)} estimates from {len(scenes)} scenes, {today}",
        **models,
        "rotation_error_factor": _error_factor(
            [(o.rotation_error, o.evidence["rotation_stddev"]) for o in observations], math.radians(5.0), 3
        ),
        "direction_error_factor": _error_factor(
            [(o.direction_error, o.evidence["direction_stddev"]) for o in observations], math.radians(10.0), 2
        ),
        "left_out_scenes": left_out,
    }


def _error_factor(errors: Sequence[tuple[float, float]], right_within: float, dimensions: int) -> float:
    """Observed over predicted standard deviation of right estimates, from the medians: a few outliers change nothing.

    Args:
        errors: observed error and its predicted standard deviation (root of the covariance's trace), radians.
        right_within: larger errors are of estimates that are wrong.
        dimensions: that the error has.
    """
    squares = [dimensions * (error / stddev) ** 2 for error, stddev in errors if error <= right_within]
    return float(np.sqrt(np.median(squares) / chi2(dimensions).median()))
