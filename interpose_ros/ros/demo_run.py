"""One run of the demo: the node and the bag as processes of their own, and what was heard of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from tqdm import tqdm

from interpose_ros.ros.demo_listener import DemoListener

NODE = [sys.executable, "-c", "import sys; from interpose_ros.ros.node import main; sys.exit(main())"]
PLAYER = [sys.executable, "-m", "interpose_ros.ros.bag_player"]

PARAMETERS: Mapping[str, object] = {
    "autostart": True,
    "use_sim_time": True,
    "image_transport": "compressed",
    "keyframe_source": "stream",
    "keyframe_period": 0.5,  # below the second between images: every image of the bag becomes a keyframe
    "pair_choice": "window",
    "pair_window": 100,  # above the number of images: all pairs
    "uncalibrated_tf": True,
    "unscaled_tf": "unit",
}

REMAPS = {"image": "/camera/image", "camera_info": "/camera/camera_info", "odom": "/odom"}

STOP_SECONDS = 20.0


class DemoError(RuntimeError):
    """The run could not be made; the text says why."""


def listen_to_drive(
    bag: Path, pairs: int, rate: float, parameters: Mapping[str, object], log: Path, title: str, patience: float
) -> DemoListener:
    """Start the node, play the bag, and wait for the answers.

    Args:
        bag: what is played.
        pairs: how many answers are waited for.
        rate: speed of playing.
        parameters: of the node, beside or instead of ``PARAMETERS``.
        log: file that takes what the node prints.
        title: of the progress bar.
        patience: seconds without any new answer after which the run ends with what there is.

    Raises:
        DemoError: the node or the player ended with an error.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    context = rclpy.Context()
    rclpy.init(context=context)
    executor = SingleThreadedExecutor(context=context)
    ear = rclpy.create_node("demo", context=context)
    executor.add_node(ear)
    heard = [time.monotonic()]
    try:
        with tqdm(total=pairs, unit="pair", desc=title) as progress:

            def on_answer(count: int) -> None:
                heard[0] = time.monotonic()
                progress.update(count - progress.n)

            listener = DemoListener(ear, "/interpose/relative_pose", on_answer)
            with log.open("w") as printed, _process([*NODE, *_ros_arguments(parameters)], printed) as node:
                command = [*PLAYER, str(bag), "--rate", f"{rate:g}", "--clock", "100", "--quiet"]
                with _process(command, None) as player:
                    while len(listener.answers) < pairs:
                        executor.spin_once(timeout_sec=0.1)
                        if node.poll() is not None:
                            raise DemoError(f"the node ended with status {node.returncode}: see {log}")
                        if player.poll():
                            raise DemoError(f"the bag could not be played; the node's output is in {log}")
                        if player.poll() is None:
                            heard[0] = max(heard[0], time.monotonic())
                        elif time.monotonic() - heard[0] > patience:
                            break
                    _hear_last_edges(executor)
        return listener
    finally:
        executor.shutdown()
        ear.destroy_node()
        rclpy.shutdown(context=context)


def _hear_last_edges(executor: SingleThreadedExecutor) -> None:
    """Listen for twice the period in which the node repeats all edges."""
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)


def _ros_arguments(parameters: Mapping[str, object]) -> list[str]:
    arguments = ["--ros-args", "-r", "__node:=interpose"]
    for source, target in REMAPS.items():
        arguments += ["-r", f"{source}:={target}"]
    for name, value in {**PARAMETERS, **parameters}.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    return arguments


@contextlib.contextmanager
def _process(command: Sequence[str], printed: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end, and ended, on the way out."""
    process = subprocess.Popen(command, stdout=printed, stderr=printed, env=os.environ)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
