"""The command ``interpose estimate``: pose of camera B, seen from camera A, from image files."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from interpose_ros.evaluation.images import image_files, load_view
from interpose_ros.evaluation.serialise import answer_as_dict
from interpose_ros.exit_status import EXIT_OK, EXIT_REFUSED

if TYPE_CHECKING:
    from interpose_ros.config import InterposeConfig
    from interpose_ros.interpolation.clip import Interpolator


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
    estimate.add_argument(
        "--interpolator",
        metavar="PRESET",
        help="imagine frames in between: a preset that `interpose models` lists, or a YAML file",
    )
    estimate.add_argument("--video-folder", metavar="FOLDER", help="of the video model (default: where pull puts it)")
    estimate.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="what the scene is, never what the camera does; several are used in turn",
    )
    estimate.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="any setting of docs/parameters.md, such as video.clips=2 or video.runtime.offload=model",
    )
    estimate.add_argument(
        "--out",
        type=Path,
        metavar="FILE_OR_FOLDER",
        help="write the answer as JSON to this file (*.json), or to a folder with the frames looked at and a picture",
    )
    estimate.set_defaults(run=_estimate)


def _estimate(options: argparse.Namespace) -> int:
    from interpose_ros.estimate_output import LookedAt, write_folder
    from interpose_ros.interpolation.clip import LazyView
    from interpose_ros.interpolation.from_config import interpolators_from_config
    from interpose_ros.interpolation.recorded import ListedFramesInterpolator
    from interpose_ros.pipeline import InterposePipeline

    config = _config(options)
    paths = [options.image_a, *image_files(options.frames), options.image_b]
    views = [
        load_view(path, options.intrinsics, options.distortion, stamp_ns=number) for number, path in enumerate(paths)
    ]
    frames = [LazyView(view.keyframe_id, lambda view=view: view) for view in views[1:-1]]  # type: ignore[misc]
    pipeline = InterposePipeline.from_config(config)
    interpolators = interpolators_from_config(config, pipeline.store, [ListedFramesInterpolator(frames)])
    with _bars(interpolators) as (observed, progress):
        looked_at = [LookedAt(interpolator) for interpolator in observed]
        answer = pipeline.estimate(views[0], views[-1], looked_at, progress)
    clips = [clip for recorder in looked_at for clip in recorder.offered]
    result = {**answer_as_dict(answer), "clips": [clip.as_dict() for clip in clips]}
    text = json.dumps(result, indent=2, allow_nan=False)
    print(text)
    if options.out and options.out.suffix == ".json":
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    elif options.out:
        write_folder(options.out, text, views[0], views[-1], clips, answer.frames_used)
    if answer.refusal is not None:
        print(f"no answer ({answer.refusal.reason.value}): {answer.refusal.text}", file=sys.stderr)
        return EXIT_REFUSED
    return EXIT_OK


def _config(options: argparse.Namespace) -> InterposeConfig:
    """The configuration: what has an option of its own, and over that what ``--set`` names.

    Raises:
        ValueError: a setting is not NAME=VALUE, or there is none of that name, or its value is not allowed.
    """
    from interpose_ros.config import InterposeConfig

    values: dict[str, Any] = {
        "estimator": options.estimator,
        "features": {"device": options.device},
        "dust3r": {"weights": options.weights, "device": options.device},
        "video": {
            "preset": options.interpolator or "",
            "folder": options.video_folder or "",
            "runtime": {"device": options.device},
        },
    }
    if options.prompt:
        values["video"]["prompts"] = options.prompt
    for setting in options.settings:
        name, separator, value = setting.partition("=")
        *sections, last = name.strip().split(".")
        section = values
        for key in sections:
            section = section.setdefault(key, {})
        if not separator or not isinstance(section, dict):
            raise ValueError(f"--set takes NAME=VALUE with a name of docs/parameters.md, not {setting!r}")
        section[last] = yaml.safe_load(value)
    return InterposeConfig.model_validate(values)


@contextlib.contextmanager
def _bars(interpolators: list[Interpolator]) -> Iterator[tuple[list[Interpolator], Any]]:
    """A bar for the whole estimate and, while clips are made, one for the steps of each."""
    from tqdm import tqdm

    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(tqdm(total=100, bar_format="{desc:12}{bar}| {percentage:3.0f} %", leave=False))
        steps: list[tqdm] = []

        def progress(stage: str, fraction: float) -> None:
            whole.set_description_str(stage)
            whole.update(100 * fraction - whole.n)

        def clip_progress(done: Any) -> None:
            text = f"clip {done.clip}/{done.clips} {done.direction.value}{', from disk' if done.cached else ''}"
            if not steps or steps[-1].desc != f"{text}: ":
                steps.append(stack.enter_context(tqdm(total=done.steps, desc=text, unit="step", leave=True)))
            steps[-1].update(done.step - steps[-1].n)

        observed = [
            interpolator.observed(clip_progress) if hasattr(interpolator, "observed") else interpolator
            for interpolator in interpolators
        ]
        yield observed, progress
