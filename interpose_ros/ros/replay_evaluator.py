"""Compare what a running node answers with the truth of the bag that is played to it:

    python -m interpose_ros.ros.replay_evaluator BAG --out DIR --node /interpose

Writes what ``interpose evaluate`` writes, row by row, and ends when the bag has ended and the node has answered everything.
``launch/replay.launch.py`` starts node, player and this together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.utilities import remove_ros_args
from tqdm import tqdm

from interpose_ros.config import PUBLISH_CONFIDENCE
from interpose_ros.evaluation.journal import open_journal, write_atomically
from interpose_ros.evaluation.pose_errors import METRE_BASELINE
from interpose_ros.evaluation.replay.bag import Bag, BagTopic, ReplayError, open_bag
from interpose_ros.evaluation.replay.command import add_truth_options, truth_settings
from interpose_ros.evaluation.replay.drive import camera_of_bag
from interpose_ros.evaluation.replay.images import file_suffix, image_stamps, write_images
from interpose_ros.evaluation.replay.topics import image_topic
from interpose_ros.evaluation.replay.trajectory_file import write_trajectories
from interpose_ros.evaluation.replay.truth import Truth, read_truth
from interpose_ros.evaluation.report.write import write_report
from interpose_ros.evaluation.run import ROWS, write_summary
from interpose_ros.evaluation.run_record import OtherRunError, begin_run
from interpose_ros.evaluation.summary import SEED, summarise
from interpose_ros.evaluation.summary_text import summary_text
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.se3 import inverse
from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import nanoseconds_from_stamp
from interpose_ros.ros.replay_rows import row_of_message

QUIET_REPORTS = 2
"""So many diagnostics in a row must say that nothing is pending: an answer may be on its way when the first does."""


@dataclass
class Heard:
    """What came from the node and the player so far.

    Attributes:
        answers: not yet written, in the order of arrival.
        player_there, player_seen: whether the images have a publisher, and ever had one.
        quiet_reports: diagnostics in a row, since the player has gone, that say that nothing is pending.
        last: when something was heard last, on the monotonic clock.
    """

    answers: list[RelativePose] = field(default_factory=list)
    player_there: bool = False
    player_seen: bool = False
    quiet_reports: int = 0
    last: float = field(default_factory=time.monotonic)

    def is_over(self, patience: float) -> bool:
        """Whether nothing more is to be expected: the node says so, or nothing was heard for so many seconds."""
        if self.player_there:
            return False
        is_silent = time.monotonic() - self.last > patience
        return is_silent or (self.player_seen and self.quiet_reports >= QUIET_REPORTS)


@dataclass(frozen=True)
class Played:
    """The bag that is played, as far as it is needed to judge answers.

    Attributes:
        topic, camera: of its images.
        truth: where the camera was.
        suffix: of the image files.
    """

    topic: BagTopic
    camera: Camera
    truth: Truth
    suffix: str


class Listener:
    """Hears answers and diagnostics of the node, and whether images are still played.

    Args:
        node: owns the subscriptions.
        target: fully qualified name of the node that is evaluated.
    """

    def __init__(self, node: Node, target: str) -> None:
        self._node, self._target = node, target
        self.heard = Heard()
        node.create_subscription(RelativePose, f"{target}/relative_pose", self._take_answer, QoSProfile(depth=10000))
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take_report, QoSProfile(depth=100))

    def look(self, images: str) -> None:
        """Note whether the player of the images is there."""
        heard = self.heard
        heard.player_there = self._node.count_publishers(images) > 0
        if heard.player_there:
            heard.player_seen, heard.quiet_reports, heard.last = True, 0, time.monotonic()

    def _take_answer(self, message: RelativePose) -> None:
        heard = self.heard
        heard.answers.append(message)
        # An answer shows that something was played, should it have ended before anybody looked.
        heard.player_seen, heard.quiet_reports, heard.last = True, 0, time.monotonic()

    def _take_report(self, message: DiagnosticArray) -> None:
        if self.heard.player_there:
            return
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            name = status.name.partition(":")[0]
            if "pending_pairs" not in values or not self._target.endswith(name.lstrip("/")):
                continue
            is_quiet = values["pending_pairs"] == "0" and values.get("waiting_images", "0") == "0"
            self.heard.quiet_reports = self.heard.quiet_reports + 1 if is_quiet else 0


def evaluate_replay(arguments: argparse.Namespace, node: Node) -> dict[str, Any]:
    """Listen until the bag has ended, and write the run.

    Raises:
        ReplayError: the bag lacks something, or no answer has a true pose.
        OtherRunError: the folder holds a run.
    """
    folder = arguments.out
    if (folder / ROWS).exists():
        raise OtherRunError(f"{folder} holds a run, and what a node answers cannot be continued: choose another DIR")
    # Before the truth is read, which may take longer than the first answers: they wait in the subscription.
    listener = Listener(node, arguments.node)
    with open_bag(arguments.bag) as bag, tqdm(unit=" messages", desc="truth", leave=False) as bar:
        played = _played(bag, arguments, bar.update)
        folder.mkdir(parents=True, exist_ok=True)
        begin_run(folder, _identity(arguments, played), {"engine": f"node {arguments.node}"})
        listener.heard.last = time.monotonic()
        pairs, rows = _listen(node, listener, played, arguments)
        if not rows:
            raise ReplayError(
                f"no answer on {arguments.node}/relative_pose has a true pose: is the node active, does it hear "
                f"{played.topic.name}, and is the name right (--node)?"
            )
        stamps = {stamp for pair in pairs for stamp in (pair["stamp0_ns"], pair["stamp1_ns"])}
        write_images(bag, played.topic, stamps, played.camera, folder / "images")
    write_atomically(folder / "pairs.json", json.dumps(_pair_file(arguments.bag, pairs, sorted(stamps), played)) + "\n")
    summary = summarise(rows, PUBLISH_CONFIDENCE)
    write_summary(folder, summary)
    print(summary_text(summary))
    print(write_trajectories(folder))
    print(write_report(folder))
    return summary


def _played(bag: Bag, arguments: argparse.Namespace, progress: Any) -> Played:
    topic = image_topic(bag, arguments.image_topic)
    _, camera_frame = image_stamps(bag, topic, progress)
    camera = camera_of_bag(bag, topic, arguments.camera_info)
    truth = read_truth(bag, truth_settings(arguments), camera_frame, progress)
    return Played(topic, camera, truth, file_suffix(bag, topic, camera))


def _listen(
    node: Node, listener: Listener, played: Played, arguments: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Pairs and rows, in the order of the answers. Answers without a true pose are counted, and left out."""
    pairs: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    without, seen, heard = 0, set(), listener.heard
    with open_journal(arguments.out / ROWS) as journal, tqdm(unit="pair", desc="answers") as bar:
        while rclpy.ok(context=node.context) and (heard.answers or not heard.is_over(arguments.patience)):
            try:
                rclpy.spin_once(node, timeout_sec=0.2)
            except (KeyboardInterrupt, ExternalShutdownException):
                break
            listener.look(arguments.played_topic or played.topic.name)
            for message in heard.answers:
                a, b = (nanoseconds_from_stamp(key.stamp) for key in (message.keyframe_a, message.keyframe_b))
                if (a, b) in seen:
                    continue  # asked for again by somebody else
                seen.add((a, b))
                T_world_a, T_world_b = played.truth.pose_at(a), played.truth.pose_at(b)
                if T_world_a is None or T_world_b is None:
                    without += 1
                    bar.set_postfix_str(f"{without} without a true pose")
                    continue
                T_b_a = inverse(T_world_b) @ T_world_a
                folder = arguments.out / "images"
                images = (folder / f"{a}{played.suffix}", folder / f"{b}{played.suffix}")
                row = row_of_message(len(rows), message, images, arguments.bag.stem, T_b_a)
                journal.append(row)
                rows.append(row)
                pairs.append({"stamp0_ns": a, "stamp1_ns": b, "T_0to1": T_b_a.tolist()})
                bar.update()
            heard.answers.clear()
    return pairs, rows


def _identity(arguments: argparse.Namespace, played: Played) -> dict[str, Any]:
    return {
        "pairs": {"file": str(arguments.bag.resolve()), "name": arguments.bag.stem, "protocol": "", "count": None},
        "settings": {"node": arguments.node, "images": played.topic.name, "truth": played.truth.description},
        "config": None,
        "seeds": {"bootstrap": SEED},
    }


def _pair_file(bag: Path, pairs: Sequence[dict[str, Any]], stamps: Sequence[int], played: Played) -> dict[str, Any]:
    """What a replay without ROS keeps of a drive, as far as trajectories need it."""
    poses = [(stamp, played.truth.pose_at(stamp)) for stamp in stamps]
    return {
        "name": bag.stem,
        "translation_unit": "metres",
        "min_baseline": METRE_BASELINE,
        "keyframes": [
            {"stamp_ns": stamp, "image": f"images/{stamp}{played.suffix}", "T_world_camera": T.tolist()}
            for stamp, T in poses
            if T is not None
        ],
        "pairs": list(pairs),
    }


def arguments_from(argv: Sequence[str]) -> argparse.Namespace:
    """Command line, without what is meant for ROS."""
    parser = argparse.ArgumentParser(
        prog="python -m interpose_ros.ros.replay_evaluator",
        description="Compare a node's answers with the truth in a bag.",
    )
    parser.add_argument("bag", type=Path, metavar="BAG", help="that is played")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for run.json, rows.jsonl, summary.json")
    parser.add_argument("--node", default="/interpose", help="that is evaluated (default: /interpose)")
    parser.add_argument("--image-topic", metavar="TOPIC", help="in the bag (default: the only one)")
    parser.add_argument("--played-topic", metavar="TOPIC", help="that these images are played on (default: the same)")
    parser.add_argument("--camera-info", metavar="TOPIC_OR_FILE", help="calibration (default: beside the images)")
    parser.add_argument(
        "--patience",
        type=float,
        default=120.0,
        metavar="S",
        help="without a player, a node that is silent for so long is not waited for (default: 120)",
    )
    add_truth_options(parser)
    return parser.parse_args(list(argv))


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate until the bag has ended; exit status 1 where that is not possible."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = arguments_from(remove_ros_args(["replay_evaluator", *given])[1:])
    rclpy.init(args=given)
    node = rclpy.create_node("replay_evaluator")
    try:
        evaluate_replay(arguments, node)
    except ValueError as error:
        print(f"replay_evaluator: {error}", file=sys.stderr)
        return 1
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
