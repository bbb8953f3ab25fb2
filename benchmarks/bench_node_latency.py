"""How fast the node's interfaces answer while its worker is busy: python benchmarks/bench_node_latency.py [--seconds 20]

Starts the node, sends it a stream of images and keyframes whose pairs keep the worker busy, and calls its services and
the action from a program of its own. Writes JSON to out/bench/node_latency.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "test"))


def main() -> int:  # noqa: PLR0915  (a measurement from start to end)
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of measuring")
    parser.add_argument("--stream-rate", type=float, default=10.0, help="images per second on the stream")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "out" / "bench" / "node_latency.json")
    options = parser.parse_args()

    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState
    from rcl_interfaces.srv import GetParameters
    from ros.running_node import RunningNode, image_message, info_message, name
    from ros.test_action import PICTURES, Goals, images
    from sensor_msgs.msg import Image

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
        stream = node.node.create_publisher(Image, "image", 10)
        large = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), dtype=np.uint8)
        sent = [1]

        def publish() -> None:
            sent[0] += 1
            stream.publish(image_message(sent[0], large))
            if sent[0] % 10 == 0:
                node.infos.publish(info_message(sent[0]))
                node.images.publish(image_message(sent[0], PICTURES[sent[0] % 3]))

        timer = node.node.create_timer(1.0 / options.stream_rate, publish)
        calls = {
            "list_keyframes": (ListKeyframes, ListKeyframes.Request()),
            "get_relative_pose": (GetRelativePose, GetRelativePose.Request(keyframe_a=name(1), keyframe_b=name(20))),
            "get_parameters": (GetParameters, GetParameters.Request(names=["min_confidence"])),
        }
        clients = {key: node.node.create_client(kind, f"/interpose/{key}") for key, (kind, _) in calls.items()}
        for client in clients.values():
            assert client.wait_for_service(20.0)
        seconds: dict[str, list[float]] = {key: [] for key in (*calls, "goal_accepted")}
        end = time.monotonic() + options.seconds
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
        node.node.destroy_timer(timer)
        answered = len(node.poses)
    report = {
        "configure_seconds": took[0],
        "activate_seconds": took[1],
        "unit": "milliseconds",
        "stream": f"{options.stream_rate:g} Hz 1920x1080",
        "pairs_answered_meanwhile": answered,
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
