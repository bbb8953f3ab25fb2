"""How fast the node's interfaces answer while its worker is busy: python benchmarks/bench_node_latency.py [--seconds 60]

Three processes: the node, a camera that sends a stream of images and keyframes whose pairs keep the worker busy, and a
planner that calls the services and the action. Writes JSON to out/bench/node_latency.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "test"))


def camera(rate: float, stop) -> None:
    """Send the stream, and a keyframe a second. A process of its own: sending takes milliseconds, which are not the
    node's."""
    import rclpy
    from ros.running_node import image_message, info_message
    from ros.test_action import PICTURES
    from sensor_msgs.msg import CameraInfo, Image

    rclpy.init()
    node = rclpy.create_node("camera")
    stream, keyframes = node.create_publisher(Image, "image", 10), node.create_publisher(Image, "keyframe/image", 50)
    infos = node.create_publisher(CameraInfo, "keyframe/camera_info", 50)
    large = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
    every = max(1, round(rate))
    for k in itertools.count(2):
        if stop.wait(1.0 / rate):
            break
        stream.publish(image_message(k, large))
        if k % every == 0:
            infos.publish(info_message(k))
            keyframes.publish(image_message(k, PICTURES[k // every % 3]))
    node.destroy_node()
    rclpy.shutdown()


def main() -> int:  # noqa: PLR0915  (a measurement from start to end)
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of measuring")
    parser.add_argument("--stream-rate", type=float, default=10.0, help="images per second on the stream")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "bench" / "node_latency.json")
    options = parser.parse_args()

    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState
    from rcl_interfaces.srv import GetParameters
    from ros.running_node import RunningNode, image_message, info_message, name
    from ros.test_action import PICTURES, Goals, images

    from interpose_ros.engine.process_settings import keep_what_is_there
    from interpose_ros.evaluation.run_record import environment
    from interpose_ros.srv import GetRelativePose, ListKeyframes

    settings = {"pair_choice": "window", "pair_window": 20, "features.cache_megabytes": 0.0, "contact.use": False}
    with RunningNode(**settings) as node:
        client = node.node.create_client(ChangeState, "/interpose/change_state")
        assert client.wait_for_service(30.0)
        took = []
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            began = time.monotonic()
            request = ChangeState.Request(transition=Transition(id=transition))
            assert node.call(ChangeState, "change_state", request).success
            took.append(round(time.monotonic() - began, 2))
        node.wait_until_active()
        node.wait_until_heard(image_message(1, PICTURES[0]), info_message())
        goals = Goals(node)
        spawn = multiprocessing.get_context("spawn")
        stop = spawn.Event()
        sender = spawn.Process(target=camera, args=(options.stream_rate, stop), daemon=True)
        sender.start()
        calls = {
            "list_keyframes": (ListKeyframes, ListKeyframes.Request()),
            "get_relative_pose": (GetRelativePose, GetRelativePose.Request(keyframe_a=name(1), keyframe_b=name(20))),
            "get_parameters": (GetParameters, GetParameters.Request(names=["min_confidence"])),
        }
        clients = {key: node.node.create_client(kind, f"/interpose/{key}") for key, (kind, _) in calls.items()}
        for client in clients.values():
            assert client.wait_for_service(20.0)
        seconds: dict[str, list[float]] = {key: [] for key in (*calls, "goal_accepted")}
        first = len(node.poses)
        node.wait_for(lambda: len(node.poses) > first, 60.0, "pair of the camera's keyframes")
        keep_what_is_there()  # the planner's own rounds of garbage collection are not the node's either
        first, end = len(node.poses), time.monotonic() + options.seconds
        while time.monotonic() < end:
            for key, (_, request) in calls.items():
                began = time.monotonic()
                goals.wait(clients[key].call_async(request))
                seconds[key].append(time.monotonic() - began)
            began = time.monotonic()
            goal = goals.send(images())
            seconds["goal_accepted"].append(time.monotonic() - began)
            if goal is not None:
                goals.ask(goal.cancel_goal_async)
                goals.result(goal)
        answered = len(node.poses) - first
        stop.set()
        sender.join(10.0)
    report = {
        "configure_seconds": took[0],
        "activate_seconds": took[1],
        "unit": "milliseconds",
        "stream": f"{options.stream_rate:g} Hz 1920x1080",
        "pairs_answered_meanwhile": answered,
        "environment": environment(),
        **{
            key: {
                "calls": len(values),
                **{f"p{q}": round(1e3 * float(np.percentile(values, q)), 2) for q in (50, 90, 99)},
                "most": round(1e3 * max(values), 2),
            }
            for key, values in seconds.items()
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
