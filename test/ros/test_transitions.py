"""Transitions again and again under load: nothing is left behind, and nothing impossible ends the node."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from scipy.stats import theilslopes

from interpose_ros.action import EstimateRelativePose
from interpose_ros.srv import ListKeyframes

from .running_node import DISCOVERY, RunningNode, image_message, info_message
from .test_action import PICTURES, Goals, images

ROUNDS = int(os.environ.get("INTERPOSE_TRANSITION_ROUNDS", "2"))
"""How often the node goes through all transitions; 200 is the number to believe in."""

PATIENCE = 100.0
"""Seconds for a transition; networks take their time to load where a machine has much else to do."""

LEFT_MEGABYTES = 30.0
"""Growth of the process that is no leak: allocators keep what they once had."""


def change(node: RunningNode, transition: int) -> bool:
    """Ask for a transition. The client stays: making one for every call would be more of a load than the transitions."""
    if not hasattr(node, "changes"):
        node.changes = node.node.create_client(ChangeState, "/interpose/change_state")
        assert node.changes.wait_for_service(DISCOVERY)
    done = threading.Event()
    future = node.changes.call_async(ChangeState.Request(transition=Transition(id=transition)))
    future.add_done_callback(lambda _: done.set())
    assert done.wait(PATIENCE), f"transition {transition} did not end"
    return future.result().success


def state(node: RunningNode) -> int:
    return node.call(GetState, "get_state", GetState.Request()).current_state.id


def threads(pid: int) -> Counter:
    """Threads by name; Python gives its own the interpreter's."""
    return Counter(path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm"))


def children(pid: int) -> list[int]:
    """Worker processes."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def subscriptions(node: RunningNode) -> list[tuple[str, tuple[str, ...]]]:
    return sorted(
        (topic, tuple(kinds)) for topic, kinds in node.node.get_subscriber_names_and_types_by_node("interpose", "/")
    )


@pytest.mark.timeout(120 + 120 * ROUNDS)
def test_rounds_of_all_transitions_under_load_leave_nothing_behind():
    with RunningNode(**{"contact.use": False}) as node:
        pid = node.process.pid
        numbers = []

        def load():
            second = 1 + len(numbers) % 10**6
            numbers.append(second)
            node.infos.publish(info_message(second))
            node.images.publish(image_message(second, PICTURES[second % 3]))

        assert node.call(GetState, "get_state", GetState.Request()).current_state.id == State.PRIMARY_STATE_UNCONFIGURED
        timer = node.node.create_timer(0.05, load)
        goals = Goals(node)
        before, seen = None, []
        for round_ in range(ROUNDS + 1):
            assert change(node, Transition.TRANSITION_CONFIGURE)
            assert len(children(pid)) == 1
            for _ in range(2):
                assert change(node, Transition.TRANSITION_ACTIVATE)
                node.wait_for(lambda: node.images.get_subscription_count() > 0, DISCOVERY, "subscription")
                goal = goals.send(images())
                assert goal is not None
                assert change(node, Transition.TRANSITION_DEACTIVATE)
                result, _ = goals.result(goal)
                assert result.code in (
                    EstimateRelativePose.Result.CODE_NOT_ACTIVE,
                    EstimateRelativePose.Result.CODE_OK,
                )
            assert change(node, Transition.TRANSITION_CLEANUP)
            assert children(pid) == []
            now = (threads(pid), subscriptions(node), sorted(node.node.get_topic_names_and_types()))
            seen.append(megabytes(pid))
            if round_ == 0:
                before = now
            else:
                assert now[0].total() <= before[0].total() + 2, (before[0], now[0])  # a pool's last thread comes late
                assert now[1:] == before[1:]
        node.node.destroy_timer(timer)
        goals.close()
        assert seen[-1] - seen[0] < LEFT_MEGABYTES + 0.05 * ROUNDS, seen
        if ROUNDS >= 50:
            # A leak grows in every round, once caches are full; an allocator takes ten megabytes at once, and keeps them.
            growth = theilslopes(seen[len(seen) // 2 :]).slope
            assert growth < 0.05, f"{growth:.3f} MB per round: {seen}"
            print(f"{growth:.3f} MB per round in the second half; from {seen[0]:.0f} to {seen[-1]:.0f} MB")


def test_impossible_transitions_and_bad_parameters_are_refused_and_the_node_lives():
    with RunningNode(**{"estimator": "dust3r", "dust3r.weights": "/nowhere/weights.pth"}) as node:
        for transition in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE, 99):
            assert not change(node, transition)
            assert state(node) == State.PRIMARY_STATE_UNCONFIGURED
        assert not change(node, Transition.TRANSITION_CONFIGURE)  # the log names the file
        assert state(node) == State.PRIMARY_STATE_UNCONFIGURED
        assert children(node.process.pid) == []
        assert node.call(ListKeyframes, "list_keyframes", ListKeyframes.Request()).code == (
            ListKeyframes.Response.CODE_NOT_ACTIVE
        )
        assert change(node, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
        assert state(node) == State.PRIMARY_STATE_FINALIZED
