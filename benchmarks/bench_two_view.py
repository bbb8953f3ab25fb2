"""Two-view geometry on synthetic matches: which motion is chosen, and how far the rotation is off.

For every noise, baseline over depth, scene shape and focal error: shares of the chosen models (and of refusals), the
share that is wrong, the rotation's median and 95 % error in degrees, and the mean squared rotation error over its
predicted covariance (3 when the prediction is right). Writes JSON.

    python benchmarks/bench_two_view.py --trials 100 --out out/bench/two_view.json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from interpose_ros.config import TwoViewConfig
from interpose_ros.evaluation.run_record import environment
from interpose_ros.geometry.distances import direction_distance, rotation_distance
from interpose_ros.geometry.se3 import rotation_log
from interpose_ros.matching.two_view import MotionModel, estimate_two_view
from interpose_ros.refusal import Refusal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "matching"))
from two_view_scenes import FOCAL, Shape, camera, make_scene  # noqa: E402  (lies beside its tests)

NOISES_PX = (0.5, 1.0, 2.0)
BASELINES = (0.0, 0.005, 0.01, 0.02, 0.05)
FOCAL_FACTORS = (1.0, 1.05)


def right_model(baseline: float, shape: Shape) -> MotionModel:
    """The motion that made the matches."""
    if baseline == 0.0:
        return MotionModel.ROTATION
    return MotionModel.PLANAR if shape is Shape.PLANE else MotionModel.GENERAL


def measure(shape: Shape, focal_factor: float, noise_px: float, baseline: float, trials: int) -> dict[str, Any]:
    """One point of the curve."""
    calibrated = camera(FOCAL * focal_factor)
    chosen: Counter[str] = Counter()
    rotation_deg, direction_deg, normalised = [], [], []
    for seed in range(trials):
        scene = make_scene(seed, baseline, noise_px, shape)
        found = estimate_two_view(scene.pixels_a, scene.pixels_b, calibrated, calibrated, TwoViewConfig())
        if isinstance(found, Refusal):
            chosen[f"refused: {found.reason.value}"] += 1
            continue
        chosen[found.model.value] += 1
        rotation_deg.append(np.degrees(rotation_distance(found.R_b_a, scene.R_b_a)))
        error = rotation_log(found.R_b_a @ scene.R_b_a.T)
        normalised.append(error @ np.linalg.solve(found.rotation_covariance, error))
        if found.direction_b_a is not None and baseline > 0:
            direction_deg.append(np.degrees(direction_distance(found.direction_b_a, scene.t_b_a)))
    return {
        "shape": shape.value,
        "focal_factor": focal_factor,
        "noise_px": noise_px,
        "baseline_over_depth": baseline,
        "trials": trials,
        "chosen": {name: count / trials for name, count in sorted(chosen.items())},
        "misclassified": 1.0 - chosen[right_model(baseline, shape).value] / trials,
        "rotation_median_deg": _quantile(rotation_deg, 0.5),
        "rotation_95_deg": _quantile(rotation_deg, 0.95),
        "direction_given": len(direction_deg) / trials,
        "direction_median_deg": _quantile(direction_deg, 0.5),
        "squared_error_over_covariance": float(np.mean(normalised)) if normalised else None,
    }


def _quantile(values: list[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def main() -> None:
    """Measure the curve, print it and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, help="scenes per point of the curve")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench" / "two_view.json")
    arguments = parser.parse_args()
    print("shape   focal noise  base%  wrong  rot50  rot95  dir%  dir50   e2/C  chosen")
    curve = []
    for shape in Shape:
        for focal_factor in FOCAL_FACTORS:
            for noise_px in NOISES_PX:
                for baseline in BASELINES:
                    if shape is Shape.PLANE and baseline == 0.0:
                        continue  # a turning camera sees no shape: the same matches as in the volume
                    row = measure(shape, focal_factor, noise_px, baseline, arguments.trials)
                    curve.append(row)
                    print(
                        f"{shape.value:7s} {focal_factor:5.2f} {noise_px:5.1f} {100 * baseline:6.1f} "
                        f"{row['misclassified']:6.2f} {_cell(row['rotation_median_deg'])} "
                        f"{_cell(row['rotation_95_deg'])} {row['direction_given']:5.2f} "
                        f"{_cell(row['direction_median_deg']):>6s} "
                        f"{_cell(row['squared_error_over_covariance']):>6s}  {row['chosen']}",
                        flush=True,
                    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    found = {"environment": environment(), "trials": arguments.trials, "curve": curve}
    arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
