"""The command ``interpose replay``: a bag, compared with the truth in it, without ROS."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from interpose_ros.evaluation.evaluate_command import add_run_options, report_run, run_pair_file
from interpose_ros.evaluation.journal import write_atomically
from interpose_ros.evaluation.replay.bag import ReplayError, open_bag
from interpose_ros.evaluation.replay.truth import TruthSettings, extrinsic
from interpose_ros.exit_status import EXIT_OK


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    replay = commands.add_parser(
        "replay",
        help="answer pairs of images of a bag and compare with the truth in it; needs no ROS",
        description="Choose keyframes and pairs in a bag, answer them, and compare with the truth on a topic, "
        "on /tf or in a file. Reads rosbag2 (sqlite3, MCAP, compressed or not) and ROS 1 bags. Writes what evaluate "
        "writes, the pair file with its images, and trajectories in TUM format.",
    )
    replay.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder, .mcap, .db3 or .bag file")
    replay.add_argument("--list", action="store_true", help="print the topics of the bag and end")
    replay.add_argument("--image-topic", metavar="TOPIC", help="Image or CompressedImage (default: the only one)")
    replay.add_argument(
        "--camera-info", metavar="TOPIC_OR_FILE", help="calibration (default: camera_info beside the images)"
    )
    add_truth_options(replay)
    choice = replay.add_argument_group("keyframes and pairs")
    choice.add_argument("--keyframes", choices=("time", "motion", "list"), default="time", help="(default: time)")
    choice.add_argument("--period", type=float, default=1.0, metavar="S", help="of keyframes by time (default: 1)")
    choice.add_argument(
        "--distance", type=float, default=0.5, metavar="M", help="of keyframes by motion (default: 0.5)"
    )
    choice.add_argument("--rotation", type=float, default=15.0, metavar="DEG", help="or turned so far (default: 15)")
    choice.add_argument("--keyframe-list", type=Path, metavar="FILE", help="stamps in seconds, one a line")
    choice.add_argument("--pairs", choices=("gap", "overlap", "all"), default="gap", help="(default: gap)")
    choice.add_argument(
        "--gap", type=int, nargs="+", default=[1, 2, 4, 8], metavar="N", help="keyframes apart (default: 1 2 4 8)"
    )
    choice.add_argument(
        "--overlap", type=float, nargs=2, default=(0.0, 0.3), metavar=("LOW", "HIGH"), help="measured (default: 0 0.3)"
    )
    choice.add_argument("--most-pairs", type=int, metavar="N", help="draw so many of them")
    choice.add_argument("--seed", type=int, default=0, help="of that draw (default: 0)")
    choice.add_argument(
        "--frames-rate",
        type=float,
        default=4.0,
        metavar="HZ",
        help="of frames in between that are kept (default: 4; 0: none)",
    )
    add_run_options(replay)
    replay.set_defaults(run=_replay)


def add_truth_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where the truth of a bag is."""
    truth = parser.add_argument_group("truth")
    truth.add_argument(
        "--truth",
        metavar="TOPIC_OR_FILE",
        help="PoseStamped, PoseWithCovarianceStamped, Odometry, TransformStamped, /tf, or a file in TUM format "
        "(default: the topic whose name says ground truth, vicon, mocap ...)",
    )
    truth.add_argument("--world-frame", metavar="FRAME", help="of /tf (default: the root of the camera's tree)")
    truth.add_argument(
        "--truth-frame", metavar="FRAME", help="body that the poses are of (default: as their messages say)"
    )
    truth.add_argument(
        "--extrinsic",
        type=float,
        nargs=7,
        metavar=("X", "Y", "Z", "QX", "QY", "QZ", "QW"),
        help="of the camera's optical frame on that body (default: from /tf_static)",
    )
    truth.add_argument(
        "--max-gap", type=float, default=0.2, metavar="S", help="truth further apart than this is a gap (default: 0.2)"
    )
    truth.add_argument("--truth-offset", type=float, default=0.0, metavar="S", help="added to the stamps of the truth")


def truth_settings(options: argparse.Namespace) -> TruthSettings:
    """What the options of ``add_truth_options`` say.

    Raises:
        ValueError: the extrinsic is none, or the longest gap is not above 0.
    """
    if options.max_gap <= 0:
        raise ReplayError("--max-gap must be above 0")
    return TruthSettings(
        source=options.truth,
        world_frame=options.world_frame,
        body_frame=options.truth_frame,
        T_body_camera=None if options.extrinsic is None else extrinsic(np.array(options.extrinsic)),
        max_gap_ns=round(options.max_gap * 1e9),
        offset_ns=round(options.truth_offset * 1e9),
    )


def _replay(options: argparse.Namespace) -> int:
    if options.list:
        with open_bag(options.bag) as bag:
            print(bag.listing())
        return EXIT_OK
    from interpose_ros.evaluation.replay.drive import read_drive
    from interpose_ros.evaluation.replay.trajectory_file import write_trajectories

    settings = _settings(options)
    _keep_drive(options)
    record = options.out / "replay.json"
    asked = json.loads(json.dumps({"bag": str(options.bag.resolve()), **asdict(settings)}, default=_plain))
    if not (record.exists() and (options.out / "pairs.json").exists()):
        with _bars() as progress:
            drive = read_drive(options.bag, options.out, settings, progress)
        write_atomically(record, json.dumps({"asked": asked, "notes": drive.notes}, indent=2) + "\n")
    content = json.loads(record.read_text(encoding="utf-8"))
    if content["asked"] != asked:
        raise ReplayError(f"{options.out} holds the replay of another bag, or with other settings: choose another DIR")
    print("\n".join(content["notes"]))
    run_pair_file(options.out / "pairs.json", options)
    print(write_trajectories(options.out))
    report_run(options)
    return EXIT_OK


def _settings(options: argparse.Namespace) -> Any:
    from interpose_ros.evaluation.replay.drive import DriveSettings

    if options.period <= 0 or options.frames_rate < 0 or min(options.gap) < 1:
        raise ReplayError("--period and --gap must be above 0, and --frames-rate not below")
    return DriveSettings(
        image_topic=options.image_topic,
        camera_info=options.camera_info,
        truth=truth_settings(options),
        keyframes=options.keyframes,
        period=options.period,
        distance=options.distance,
        rotation=options.rotation,
        keyframe_list=options.keyframe_list,
        pairs=options.pairs,
        gaps=tuple(options.gap),
        overlap=tuple(options.overlap),
        most_pairs=options.most_pairs,
        seed=options.seed,
        frames_rate=options.frames_rate,
    )


def _keep_drive(options: argparse.Namespace) -> None:
    """A run in the folder that is no replay is not written over."""
    if (options.out / "run.json").exists() and not (options.out / "replay.json").exists():
        raise ReplayError(f"{options.out} holds a run that is no replay: choose another DIR")


@contextmanager
def _bars() -> Iterator[Callable[[str], Callable[[], Any]]]:
    """A progress bar for each thing that is read, the last one closed with the block."""
    from tqdm import tqdm

    bars: list[Any] = []

    def progress(what: str) -> Callable[[], Any]:
        for bar in bars:
            bar.close()
        bars.append(tqdm(desc=what, unit=" messages", dynamic_ncols=True, leave=False))
        return bars[-1].update

    try:
        yield progress
    finally:
        for bar in bars:
            bar.close()


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
