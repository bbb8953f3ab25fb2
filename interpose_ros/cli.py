"""The command ``interpose``: the steps of the node without ROS."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from interpose_ros import __version__
from interpose_ros.contact import command as contact
from interpose_ros.evaluation import calibrate_command
from interpose_ros.evaluation.images import ImageError, image_files, load_view
from interpose_ros.evaluation.pair_files import PairFileError, load_pair_file
from interpose_ros.evaluation.run import evaluate_pairs, summarise
from interpose_ros.evaluation.serialise import answer_as_dict
from interpose_ros.models import command as models

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 an answer, 1 an error, 2 wrong usage, 3 a refusal."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (ImageError, PairFileError, FileNotFoundError, ValueError) as error:
        print(f"interpose: {error}", file=sys.stderr)
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="interpose", description=__doc__)
    parser.add_argument("--version", action="version", version=f"interpose_ros {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

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

    evaluate = commands.add_parser("evaluate", help="answer every pair of a pair file and compare with its truth")
    evaluate.add_argument("pairs", type=Path, metavar="PAIRS.json")
    evaluate.add_argument("--out", type=Path, required=True, metavar="DIR", help="for rows.jsonl and summary.json")
    evaluate.add_argument("--without-frames", action="store_true", help="withhold the frames in between")
    evaluate.set_defaults(run=_evaluate)
    calibrate_command.register(commands)
    models.register(commands)
    contact.register(commands)
    return parser


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


def _evaluate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from interpose_ros.config import InterposeConfig
    from interpose_ros.pipeline import InterposePipeline

    pairs = load_pair_file(options.pairs)
    pipeline = InterposePipeline.from_config(InterposeConfig())
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with (options.out / "rows.jsonl").open("w", encoding="utf-8") as stream:
        for row in tqdm(evaluate_pairs(pairs, pipeline, not options.without_frames), total=len(pairs), unit="pair"):
            rows.append(row)
            stream.write(json.dumps(row, allow_nan=False) + "\n")
            stream.flush()
    summary = json.dumps(summarise(rows), indent=2, allow_nan=False)
    (options.out / "summary.json").write_text(summary + "\n", encoding="utf-8")
    print(summary)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
