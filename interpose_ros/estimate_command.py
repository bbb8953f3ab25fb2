"""The command ``interpose estimate``: pose of camera B, seen from camera A, from image files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from interpose_ros.evaluation.images import image_files, load_view
from interpose_ros.evaluation.serialise import answer_as_dict
from interpose_ros.exit_status import EXIT_OK, EXIT_REFUSED


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    estimate = commands.add_parser("estimate", help="pose of camera B, seen from camera A")
    estimate.add_argument("image_a", type=Path, metavar="A")
    estimate.add_argument("image_b", type=Path, metavar="B")
    estimate.add_argument(
        "--intrinsics",
        type=float,
        nargs=4,
        metavar=("FX", "FY", "CX", "CY"),
        required=True,
        help="of both images, in pixels, pixel centres at integers",
    )
    estimate.add_argument(
        "--distortion",
        type=float,
        nargs="*",
        default=[],
        metavar="K",
        help="OpenCV coefficients k1 k2 p1 p2 [k3] or the rational 8; none by default",
    )
    estimate.add_argument(
        "--frames",
        type=Path,
        nargs="*",
        default=[],
        metavar="IMAGE",
        help="real frames in between, in order from A to B, of the same camera; a folder stands for its images by name",
    )
    estimate.add_argument(
        "--estimator",
        choices=("features", "dust3r"),
        default="features",
        help="what finds the pose over the frames in between (default: features)",
    )
    estimate.add_argument(
        "--weights", metavar="NAME_OR_PATH", help="of dust3r: a name that `interpose models` lists, or a checkpoint"
    )
    estimate.add_argument("--device", default="cpu", help="torch device of all networks (default: cpu)")
    estimate.add_argument("--out", type=Path, metavar="FILE", help="write the answer as JSON here too")
    estimate.set_defaults(run=_estimate)


def _estimate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from interpose_ros.config import Dust3rConfig, FeatureConfig, InterposeConfig
    from interpose_ros.interpolation.clip import LazyView
    from interpose_ros.interpolation.recorded import ListedFramesInterpolator
    from interpose_ros.pipeline import InterposePipeline

    paths = [options.image_a, *image_files(options.frames), options.image_b]
    views = [
        load_view(path, options.intrinsics, options.distortion, stamp_ns=number) for number, path in enumerate(paths)
    ]
    frames = [LazyView(view.keyframe_id, lambda view=view: view) for view in views[1:-1]]  # type: ignore[misc]
    config = InterposeConfig(
        estimator=options.estimator,
        features=FeatureConfig(device=options.device),
        dust3r=Dust3rConfig(weights=options.weights, device=options.device),
    )
    pipeline = InterposePipeline.from_config(config)
    with tqdm(total=100, bar_format="{desc:12}{bar}| {percentage:3.0f} %", leave=False) as bar:

        def progress(stage: str, fraction: float) -> None:
            bar.set_description_str(stage)
            bar.update(100 * fraction - bar.n)

        answer = pipeline.estimate(views[0], views[-1], [ListedFramesInterpolator(frames)], progress)
    result = answer_as_dict(answer)
    text = json.dumps(result, indent=2, allow_nan=False)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    if answer.refusal is not None:
        print(f"no answer ({answer.refusal.reason.value}): {answer.refusal.text}", file=sys.stderr)
        return EXIT_REFUSED
    return EXIT_OK
