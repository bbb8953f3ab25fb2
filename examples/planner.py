#!/usr/bin/env python3
"""Every interface of the node, as a planner uses it: ``python examples/planner.py [NODE]`` while the node runs."""

from __future__ import annotations

import sys

import rclpy

from interpose_ros.ros.client import InterposeClient, NodeNotReached, NotActive
from interpose_ros.ros.client_results import EstimateCode, HeldKeyframe, LookupCode, PoseAnswer, Progress


def list_what_is_held(client: InterposeClient) -> list[HeldKeyframe]:
    """Keyframes, oldest first."""
    held = client.list_keyframes()
    for keyframe in held:
        print(f"{keyframe.name} is {keyframe.tf_frame} on /tf{'' if keyframe.is_connected else ', without an edge'}")
    return held


def look_up(client: InterposeClient, a: HeldKeyframe, b: HeldKeyframe) -> PoseAnswer | None:
    """What the node has found already. Quick: ask again while it is pending."""
    found = client.get_relative_pose(a.name, b.name)
    if found.code is LookupCode.PENDING:
        print("the pair waits for its turn")
    elif found.pose is None:
        print(f"{found.code.name}: {found.text}")
    return found.pose


def estimate(client: InterposeClient, a: HeldKeyframe, b: HeldKeyframe, seconds: float) -> PoseAnswer | None:
    """A new estimate, with progress, and with a limit after which the best so far is taken."""

    def show(progress: Progress) -> None:
        print(f"{progress.fraction:4.0%} {progress.text}; so far: {'a pose' if progress.best.has_pose else 'nothing'}")

    running = client.estimate(a.name, b.name, progress=show)
    try:
        ended = running.result(seconds)
    except NodeNotReached:
        ended = running.cancel()
    if ended.code is not EstimateCode.OK:
        print(f"{ended.code.name}: {ended.text}")
    return ended.pose


def decide(pose: PoseAnswer | None) -> str:
    """What a planner may do with an answer."""
    if pose is None or not pose.has_pose:
        return "no pose: drive on as if the two places had nothing in common"
    if pose.confidence_5deg is None:
        return "a pose without calibrated confidence: look, do not steer"
    if pose.T_a_b is None:
        return f"turn within 5 degrees by {pose.confidence_5deg:.0%}, length unknown, direction {pose.direction_a_b}"
    return f"metric pose, standard deviation of the length {pose.scale_stddev:.2f} m"


def main(name: str) -> int:
    """Show every interface; 1 where the node is not there."""
    rclpy.init()
    try:
        with InterposeClient(name) as client:
            end = client.on_answer(lambda pose: print(f"heard: {pose.keyframe_a} {pose.keyframe_b} {pose.status.name}"))
            held = list_what_is_held(client)
            if len(held) >= 2:
                a, b = held[-2:]
                print(decide(look_up(client, a, b) or estimate(client, a, b, 30.0)))
            end()
    except (NodeNotReached, NotActive) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["/interpose"]))
