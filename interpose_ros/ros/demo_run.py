"""The nodes and the bag of the demo as processes of their own, and what was heard of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
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
}

REMAPS = {"image": "/camera/image", "camera_info": "/camera/camera_info", "odom": "/odom"}

THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads that have nothing to do sleep. Spinning, as they do by default, they take the cores from whoever has work: with
more threads than cores a pair took four times as long."""

STOP_SECONDS = 20.0
LAST_EDGES_SECONDS = 2.0
"""A few times the period in which a node repeats all edges."""


class DemoError(RuntimeError):
    """The run could not be made; the text says why."""


@dataclass(frozen=True)
class NodeSettings:
    """One of the nodes that hear the bag.

    Attributes:
        name: of the node.
        parameters: beside or instead of ``PARAMETERS``.
        log: file that takes what the node prints.
    """

    name: str
    parameters: Mapping[str, object]
    log: Path


def listen_to_drive(
    bag: Path, nodes: Sequence[NodeSettings], pairs: int, rate: float, patience: float
) -> list[DemoListener]:
    """Start the nodes, play the bag to all of them, and wait for the answers.

    Args:
        bag: what is played.
        nodes: what hears it.
        pairs: how many answers of each node are waited for.
        rate: speed of playing.
        patience: seconds without any new answer after which the run ends with what there is.

    Raises:
        DemoError: a node or the player ended with an error.
    """
    with _ear() as (ear, executor), contextlib.ExitStack() as stack:
        progress = stack.enter_context(tqdm(total=pairs * len(nodes), unit="pair", desc="pairs of every node"))
        heard = [time.monotonic()]

        def on_answer(_count: int) -> None:
            heard[0] = time.monotonic()
            progress.update(sum(len(listener.answers) for listener in listeners) - progress.n)

        listeners = [DemoListener(ear, f"/{node.name}/relative_pose", on_answer) for node in nodes]
        running = [stack.enter_context(_node_process(node, len(nodes))) for node in nodes]
        command = [
            *PLAYER,
            str(bag),
            "--rate",
            f"{rate:g}",
            "--clock",
            "100",
            "--subscribers",
            str(len(nodes)),
            "--quiet",
        ]
        player = stack.enter_context(_process(command, None, os.environ))
        while any(len(listener.answers) < pairs for listener in listeners):
            executor.spin_once(timeout_sec=0.1)
            for node, process in zip(nodes, running, strict=True):
                if process.poll() is not None:
                    raise DemoError(f"the node {node.name} ended with status {process.returncode}: see {node.log}")
            if player.poll():
                raise DemoError(f"the bag could not be played; what the nodes printed is in {nodes[0].log.parent}")
            if player.poll() is None:
                heard[0] = max(heard[0], time.monotonic())
            elif time.monotonic() - heard[0] > patience:
                break
        end = time.monotonic() + LAST_EDGES_SECONDS
        while time.monotonic() < end:
            executor.spin_once(timeout_sec=0.1)
        return listeners


@contextlib.contextmanager
def _ear() -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    """A node that listens, and what spins it."""
    context = rclpy.Context()
    rclpy.init(context=context)
    executor = SingleThreadedExecutor(context=context)
    ear = rclpy.create_node("demo", context=context)
    executor.add_node(ear)
    try:
        yield ear, executor
    finally:
        executor.shutdown()
        ear.destroy_node()
        rclpy.shutdown(context=context)


@contextlib.contextmanager
def _node_process(node: NodeSettings, nodes: int) -> Iterator[subprocess.Popen[bytes]]:
    """A node with its share of the cores."""
    threads = str(max(1, (os.cpu_count() or 1) // nodes))
    node.log.parent.mkdir(parents=True, exist_ok=True)
    with (
        node.log.open("w") as printed,
        _process(
            [*NODE, *_ros_arguments(node)], printed, {**THREADS, "OMP_NUM_THREADS": threads, **os.environ}
        ) as process,
    ):
        yield process


def _ros_arguments(node: NodeSettings) -> list[str]:
    arguments = ["--ros-args", "-r", f"__node:={node.name}"]
    for source, target in REMAPS.items():
        arguments += ["-r", f"{source}:={target}"]
    for name, value in {**PARAMETERS, **node.parameters}.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    return arguments


@contextlib.contextmanager
def _process(
    command: Sequence[str], printed: object, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end, and ended, on the way out."""
    process = subprocess.Popen(command, stdout=printed, stderr=printed, env=environment)  # type: ignore[call-overload]
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
