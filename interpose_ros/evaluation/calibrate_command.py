"""``interpose calibrate``: probabilities for poses from keyframes, and from frames in between, fitted to known pairs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from interpose_ros.answer import Branch
from interpose_ros.evaluation.calibration import CalibrationError, Observation, fit
from interpose_ros.evaluation.held_out import held_out_figures
from interpose_ros.evaluation.journal import write_atomically
from interpose_ros.evaluation.observations import Subject, observations_by_subject, observe, without_repeats
from interpose_ros.evaluation.pair_files import read_pair_file, require_images
from interpose_ros.evaluation.reliability_diagram import reliability_svg
from interpose_ros.exit_status import EXIT_FAILED, EXIT_OK

_OF_PAIRS = ("log:inliers", "log:inlier_ratio", "log:coverage", "match_score")
EVIDENCE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("matches", "matches"): (*_OF_PAIRS, "log:spread", "rotation_only"),
    ("matches", "matches_second"): _OF_PAIRS,
    ("frames", "features"): (
        "log:bridge_inliers",
        "log:bridge_ratio",
        "log:bridge_coverage",
        "bridge_score",
        "log:bridge_links",
        "contradiction",
        "disagreement",
    ),
}
"""What the probabilities are made of, by branch and estimator."""

RIVALS: Mapping[str, Mapping[str, str]] = {
    "matches": {"inliers": "inliers", "overlap": "coverage"},
    "frames": {"inliers": "bridge_inliers", "overlap": "bridge_coverage"},
}
"""What estimates could be ranked by without any calibration, by branch; over frames it is that of the weakest link."""

CACHE_MEGABYTES = 512.0


def register(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "calibrate",
        help="fit the confidence of poses to known pairs",
        description="Fit the confidence of poses from keyframes alone, and where the pairs name frames in between also of "
        "poses over these, to pairs with known truth. Estimates are kept in "
        "DIR/observations.jsonl: an interrupted command goes on where it was. Per estimator DIR gets a calibration file, "
        "used where decision.calibrations names DIR, and a reliability diagram.",
    )
    parser.add_argument("pairs", type=Path, metavar="PAIRS.json", help="pairs of at least six scenes, negatives too")
    parser.add_argument(
        "--streams",
        type=Path,
        metavar="PAIRS.json",
        help="more pairs, of which only what is found over their frames in between counts",
    )
    parser.add_argument("--first", type=int, metavar="N", help="take the first N pairs of the file (default: all)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data", required=True, metavar="TEXT", help="what the pairs are, for whoever reads the file")
    parser.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from interpose_ros.config import FeatureConfig, InterposeConfig
    from interpose_ros.evaluation.run import min_baseline
    from interpose_ros.matching.store import MatchStore
    from interpose_ros.pipeline import InterposePipeline

    content = read_pair_file(options.pairs)
    pairs = content.pairs[: options.first]
    require_images(options.pairs, pairs)
    streams = read_pair_file(options.streams) if options.streams else None
    if streams is not None:
        require_images(options.streams, streams.pairs)
    config = InterposeConfig(features=FeatureConfig(cache_megabytes=CACHE_MEGABYTES))
    pipeline = InterposePipeline(
        config,
        MatchStore.with_default_networks(config),
        calibrations={},
        second_store=MatchStore.with_second_networks(config),
    )
    path = options.out / "observations.jsonl"
    seen = observe(pairs, pipeline, min_baseline(content), path)
    rows = [row for rows in tqdm(seen, total=len(pairs), unit="pair") for row in rows]
    if streams is not None:
        seen = observe(streams.pairs, pipeline, min_baseline(streams), path, branches=[Branch.FRAMES])
        rows += (row for rows in tqdm(seen, total=len(streams.pairs), unit="stream") for row in rows)
    threshold = config.decision.min_confidence
    calibrated = 0
    for subject, observations in observations_by_subject(without_repeats(rows)).items():
        try:
            found = calibration(subject, observations, options.data, threshold)
        except CalibrationError as error:
            print(f"interpose: {subject.estimator} in the branch {subject.branch} is not calibrated; {error}")
            continue
        calibrated += 1
        path = options.out / f"{subject.branch}_{subject.estimator}.json"
        write_atomically(path, json.dumps(found, indent=2, allow_nan=False) + "\n")
        judged = found["left_out_scenes"]
        subtitle = f"{judged['rotation_5deg']['count']} estimates, rotation within 5°"
        write_atomically(path.with_suffix(".svg"), reliability_svg(subject.estimator, subtitle, judged["reliability"]))
        print(f"{path}\n{json.dumps(judged, indent=2)}")
    return EXIT_OK if calibrated else EXIT_FAILED


def calibration(
    subject: Subject, observations: Sequence[Observation], data: str, threshold: float, draws: int = 1000
) -> dict[str, Any]:
    """The content of a calibration file.

    Args:
        subject: what it is for.
        observations: of that alone.
        data: what the pairs are.
        threshold: least probability that is published.
        draws: of scenes, for the intervals.

    Raises:
        CalibrationError: there is too little to calibrate on.
    """
    names = EVIDENCE[subject.branch, subject.estimator]
    found = fit(observations, names, threshold)
    today = date.today().isoformat()
    return {
        "calibration_id": f"{subject.estimator}-{today}",
        "branch": subject.branch,
        "estimator": subject.estimator,
        "model_hash": subject.model_hash,
        "date": today,
        "description": f"{data}; {len(observations)} estimates from {len({o.scene for o in observations})} scenes, {today}",
        **{name: asdict(model) for name, model in found.models.items()},
        "rotation_error_factor": found.rotation_error_factor,
        "direction_error_factor": found.direction_error_factor,
        "left_out_scenes": held_out_figures(observations, names, threshold, RIVALS[subject.branch], draws),
    }
