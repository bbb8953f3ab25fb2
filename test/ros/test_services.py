"""What can be asked of a busy node: pending and evicted pairs, reset, diagnostics."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from rclpy.executors import SingleThreadedExecutor
from scipy.spatial.transform import Rotation
from std_srvs.srv import Trigger

from interpose_ros.msg import RelativePose
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.srv import GetRelativePose, ListKeyframes

from . import room
from .running_node import ANSWER, DISCOVERY, RunningNode, assert_no_pose, image_message, info_message, name

COUNT = 6
Code = GetRelativePose.Response


def picture(k: int) -> np.ndarray:
    R_w_c = Rotation.from_euler("y", 6.0 * k, degrees=True).as_matrix()
    return room.picture(R_w_c, np.array([0.3 * k - 1.5, 0.05 * (k % 2), -1.0]))


PICTURES = [picture(k) for k in range(COUNT + 1)]


def ask(running, a: int, b: int) -> GetRelativePose.Response:
    request = GetRelativePose.Request(keyframe_a=name(a), keyframe_b=name(b))
    return running.call(GetRelativePose, "get_relative_pose", request)


def listed(running) -> ListKeyframes.Response:
    return running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())


def values(running) -> dict[str, str]:
    count = len(running.diagnostics)
    running.wait_for(lambda: len(running.diagnostics) > count, ANSWER, "diagnostics")
    return {v.key: v.value for v in running.diagnostics[-1].status[0].values}


@pytest.fixture(scope="module")
def running():
    with RunningNode(autostart=True, max_keyframes=COUNT, pair_choice="window", pair_window=1000) as node:
        node.wait_until_active()
        node.wait_until_heard(image_message(1, PICTURES[0]), info_message())
        yield node


def test_pending_pairs_are_answered_in_their_turn(running):
    for second in range(2, COUNT + 1):
        running.images.publish(image_message(second, PICTURES[second - 1]))
    running.wait_for(lambda: len(listed(running).keyframes) == COUNT, DISCOVERY, "all keyframes")
    waiting = ask(
        running, COUNT, 1
    )  # the newest with the oldest comes last; pairs are (older, newer) when asked so, too
    assert waiting.code == Code.CODE_PENDING
    assert_no_pose(waiting.result)
    assert listed(running).pending_pairs > 0

    pairs = COUNT * (COUNT - 1) // 2
    running.wait_for(lambda: len(running.poses) == pairs, 3 * ANSWER, f"{pairs} answers")
    assert ask(running, COUNT, 1).code == Code.CODE_OK
    assert listed(running).pending_pairs == 0
    neighbours = ask(running, 2, 1)
    assert neighbours.result.status == RelativePose.STATUS_OK
    q = neighbours.result.pose.pose.orientation
    error = Rotation.from_quat([q.x, q.y, q.z, q.w]) * Rotation.from_euler("y", 6.0, degrees=True)
    assert np.degrees(error.magnitude()) < 2


def test_diagnostics_say_what_was_done(running):
    found = values(running)
    assert found["state"] == "active"
    assert found["device"] == "cpu"
    assert "xfeat" in found["networks"].lower()
    assert found["keyframes"] == str(COUNT)
    assert float(found["keyframe_megabytes"]) == pytest.approx(COUNT * PICTURES[0].nbytes / 1e6, abs=0.06)
    assert found["pending_pairs"] == found["waiting_images"] == "0"
    assert 0 < float(found["last_overlap_seconds"]) <= float(found["last_estimate_seconds"]) < 60
    answered = sum(int(value) for key, value in found.items() if key.startswith("answers_"))
    assert answered == len(running.poses)
    assert int(found["answers_ok"]) == sum(p.status == RelativePose.STATUS_OK for p in running.poses)


def test_reset_gives_pending_pairs_up_and_evicted_keyframes_are_known(running):
    count = len(running.poses)
    running.images.publish(image_message(COUNT + 1, PICTURES[COUNT]))
    running.wait_for(
        lambda: listed(running).keyframes[-1] == name(COUNT + 1), DISCOVERY, "one more keyframe than are held"
    )
    gone = ask(running, 1, 2)
    assert gone.code == Code.CODE_EVICTED
    assert "max_keyframes" in gone.message
    assert_no_pose(gone.result)

    assert running.call(Trigger, "reset", Trigger.Request()).success
    assert listed(running).pending_pairs == 0
    assert not listed(running).keyframes
    # Every pair that was begun has one answer, if only that it was given up.
    running.wait_for(lambda: len(running.poses) == count + COUNT - 1, ANSWER, "an answer for each pair")
    given_up = [p for p in running.poses[count:] if p.status == RelativePose.STATUS_REFUSED_CANCELLED]
    for message in given_up:
        assert_no_pose(message)
        assert message.reason == "given up: reset was called"
    assert given_up
    found = values(running)
    assert found["keyframes"] == found["edges"] == "0"
    assert found["last_refusal"].startswith("refused_cancelled: ")
    assert found["last_refusal"].endswith("given up: reset was called")
    assert ask(running, COUNT, COUNT + 1).code == Code.CODE_EVICTED
    assert ask(running, COUNT + 99, COUNT + 100).code == Code.CODE_UNKNOWN_KEYFRAME

    # What was forgotten may come again, with other content.
    count = len(running.poses)
    for second in (1, 2):
        running.images.publish(image_message(second, PICTURES[second]))
    running.wait_for(lambda: len(running.poses) > count, ANSWER, "answer after reset")
    assert running.poses[count].status == RelativePose.STATUS_OK, running.poses[count].reason


def test_an_answer_waits_for_a_slow_caller_while_others_are_answered(running):
    """All callers share the topic of answers; a history of 10 would have lost this one."""
    slow = rclpy.create_node("slow_caller", context=running.node.context)
    executor = SingleThreadedExecutor(context=running.node.context)
    executor.add_node(slow)
    client = slow.create_client(ListKeyframes, "/interpose/list_keyframes", qos_profile=SERVICE_QUALITY)
    assert client.wait_for_service(DISCOVERY)
    executor.spin_until_future_complete(client.call_async(ListKeyframes.Request()), DISCOVERY)
    answer = client.call_async(ListKeyframes.Request(frame_id="no such camera"))
    for _ in range(30):
        listed(running)
    executor.spin_until_future_complete(answer, DISCOVERY)
    executor.shutdown()
    slow.destroy_node()
    assert answer.done()
    assert list(answer.result().keyframes) == []
