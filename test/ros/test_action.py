"""``~/estimate_relative_pose`` of a running node: answers, refusals, deadlines, cancellation, and a worker that is lost."""

import contextlib
import os
import pathlib
import signal
import threading
import time

import numpy as np
import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration, Time
from rclpy.action import ActionClient
from scipy.spatial.transform import Rotation

from interpose_ros.action import EstimateRelativePose
from interpose_ros.msg import RelativePose
from interpose_ros.srv import GetRelativePose, ListKeyframes

from . import room
from .running_node import ANSWER, DISCOVERY, RunningNode, assert_no_pose, image_message, info_message, name

Goal, Result, Feedback = EstimateRelativePose.Goal, EstimateRelativePose.Result, EstimateRelativePose.Feedback
YAW = 10.0


def picture(k: int) -> np.ndarray:
    R_w_c = Rotation.from_euler("y", YAW * k, degrees=True).as_matrix()
    return room.picture(R_w_c, np.array([0.4 * k - 0.6, 0.0, -1.0]))


PICTURES = [picture(k) for k in range(3)]


class Goals:
    """Sends goals to a node, and waits for what comes of them."""

    def __init__(self, running: RunningNode) -> None:
        self._running = running
        self._client = ActionClient(running.node, EstimateRelativePose, "/interpose/estimate_relative_pose")
        assert self._client.wait_for_server(DISCOVERY)

    def close(self) -> None:
        """Forget the server."""
        self._client.destroy()

    def send(self, goal: Goal):
        """The accepted goal's handle, with ``feedback`` growing; None where it was rejected."""
        feedback = []

        def add(message):
            with self._running.changed:
                feedback.append(message.feedback)
                self._running.changed.notify_all()

        handle = self.ask(lambda: self._client.send_goal_async(goal, feedback_callback=add))
        handle.feedback = feedback
        return handle if handle.accepted else None

    def result(self, handle):
        """Result and status of a goal."""
        response = self.ask(handle.get_result_async)
        return response.result, response.status

    def ask(self, send):
        """Send on the executor's thread: rclpy forgets an answer that another thread takes in before it has noted what it
        has asked."""
        return self.wait(self.wait(self._running.node.executor.create_task(send)))

    def wait(self, future):
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(3 * ANSWER), "no answer"
        return future.result()

    def do(self, goal: Goal):
        """Send a goal and wait for its result: result, status, feedback."""
        handle = self.send(goal)
        assert handle is not None, "rejected"
        return (*self.result(handle), handle.feedback)


def images(a: int = 0, b: int = 1, **options) -> Goal:
    """A goal with two images, which the node does not know."""
    return Goal(
        image_a=image_message(100 + a, PICTURES[a]),
        image_b=image_message(100 + b, PICTURES[b]),
        camera_info_a=info_message(100 + a),
        camera_info_b=info_message(100 + b),
        wait_for_models=True,
        **options,
    )


def known(a: int, b: int, keyframe_a_nanosec: int = 0, **options) -> Goal:
    goal = Goal(keyframe_a=name(a), keyframe_b=name(b), wait_for_models=True, **options)
    goal.keyframe_a.stamp.nanosec = keyframe_a_nanosec
    return goal


def rotation_error_deg(message: RelativePose, yaw: float) -> float:
    q = message.pose.pose.orientation
    error = Rotation.from_quat([q.x, q.y, q.z, q.w]) * Rotation.from_euler("y", -yaw, degrees=True)
    return float(np.degrees(error.magnitude()))


def worker_values(running) -> dict[str, str]:
    count = len(running.diagnostics)
    running.wait_for(lambda: len(running.diagnostics) > count, ANSWER, "diagnostics")
    found = next(s for s in running.diagnostics[-1].status if s.name.endswith(": worker"))
    return {value.key: value.value for value in found.values}


def stop_worker(running, goals) -> dict[str, str]:
    """Stop the worker as a call into a library would that never returns; what was said about it before."""
    goals.do(images())  # so that it is there, and not being started again
    # Diagnostics may still be of a worker that an earlier test has ended; of a zombie nothing but its number is left.
    running.wait_for(lambda: is_there(worker_values(running)), ANSWER, "diagnostics of the worker")
    before = worker_values(running)
    assert before["state"] == "READY"
    os.kill(int(before["process"]), signal.SIGSTOP)
    return before


def is_there(values: dict[str, str]) -> bool:
    with contextlib.suppress(OSError):
        return values["state"] == "READY" and bool(pathlib.Path(f"/proc/{values['process']}/cmdline").read_bytes())
    return False


@pytest.fixture(scope="module")
def running():
    with RunningNode(autostart=True, uncalibrated_tf=True, unscaled_tf="unit") as node:
        node.wait_until_active()
        node.wait_until_heard(image_message(1, PICTURES[0]), info_message())
        yield node


@pytest.fixture(scope="module")
def goals(running):
    found = Goals(running)
    yield found
    found.close()


def test_two_images_are_answered_with_progress_and_all_candidates(running, goals):
    count = len(running.poses)
    result, status, feedback = goals.do(images())
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert result.code == Result.CODE_OK, result.message
    assert result.result.status == RelativePose.STATUS_OK
    assert rotation_error_deg(result.result, YAW) < 2
    assert [c.selected for c in result.result.candidates].count(True) == 1
    stages = [message.stage for message in feedback]
    assert Feedback.STAGE_OVERLAP in stages
    assert stages == sorted(stages)
    fractions = [message.fraction for message in feedback]
    assert fractions == sorted(fractions)
    assert_no_pose(feedback[0].best)
    assert all(message.text for message in feedback)
    # The last of it may come after the result, which nobody waits for.
    found = [message.best for message in feedback if message.best.status == RelativePose.STATUS_OK]
    assert all(rotation_error_deg(best, YAW) < 2 for best in found)
    assert len(running.poses) == count  # publish is false

    back, _, _ = goals.do(images(1, 0))
    assert rotation_error_deg(back.result, -YAW) < 2


def test_published_answers_reach_everybody(running, goals):
    running.images.publish(image_message(2, PICTURES[1]))
    running.pose_for(2)
    count, edges = len(running.poses), len(running.transforms)
    result, _, _ = goals.do(known(1, 2, publish=True))
    assert result.code == Result.CODE_OK
    running.wait_for(lambda: len(running.poses) > count, ANSWER, "the pose on its topic")
    assert running.poses[-1].published_on_tf
    running.wait_for(lambda: len(running.transforms) > edges, ANSWER, "the edge")
    asked = running.call(
        GetRelativePose, "get_relative_pose", GetRelativePose.Request(keyframe_a=name(1), keyframe_b=name(2))
    )
    assert asked.result.pose.pose.orientation == result.result.pose.pose.orientation
    assert asked.result.published_on_tf


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (lambda g: Goal(), Result.CODE_INVALID_REQUEST, "give image_a and image_b"),
        (lambda g: known(1, 999, keyframe_a_nanosec=2**32 - 1), Result.CODE_INVALID_REQUEST, "nanosec"),
        (lambda g: known(1, 1), Result.CODE_INVALID_REQUEST, "different"),
        (lambda g: known(1, 999), Result.CODE_UNKNOWN_KEYFRAME, "999"),
        (lambda g: setattr(g.image_b, "data", []), Result.CODE_INVALID_REQUEST, "image_b has no data"),
        (lambda g: setattr(g.image_a, "data", g.image_a.data[:50]), Result.CODE_INVALID_REQUEST, "truncated"),
        (lambda g: setattr(g.camera_info_b, "k", [0.0] * 9), Result.CODE_INVALID_REQUEST, "not calibrated"),
        (lambda g: setattr(g.camera_info_b, "width", 5), Result.CODE_INVALID_REQUEST, "5x"),
        (lambda g: setattr(g.image_b.header.stamp, "sec", 100), Result.CODE_INVALID_REQUEST, "both images are named"),
        (lambda g: setattr(g.image_a.header, "frame_id", ""), Result.CODE_INVALID_REQUEST, "frame_id is empty"),
        (lambda g: setattr(g, "max_duration", Duration(sec=-1)), Result.CODE_INVALID_REQUEST, "max_duration"),
        (lambda g: setattr(g, "deadline", Time(sec=1)), Result.CODE_DEADLINE, "time was up"),
    ],
)
def test_bad_goals_are_answered_with_a_reason(goals, change, code, told):
    goal = images()
    goal = change(goal) or goal
    result, status, _ = goals.do(goal)
    assert result.code == code, result.message
    assert told in result.message
    assert_no_pose(result.result)
    assert status == (GoalStatus.STATUS_SUCCEEDED if code == Result.CODE_DEADLINE else GoalStatus.STATUS_ABORTED)


def test_a_stopped_worker_is_cancelled_within_a_second_and_replaced(running, goals):
    before = stop_worker(running, goals)
    goal = goals.send(images(0, 2))
    running.wait_for(lambda: goal.feedback or worker_values(running)["goals"] == "1", ANSWER, "the goal to begin")
    began = time.monotonic()
    cancelled = goals.ask(goal.cancel_goal_async)
    assert cancelled.goals_canceling
    result, status = goals.result(goal)
    assert time.monotonic() - began < 1.0 + 0.5  # of which half a second for a loaded machine
    assert status == GoalStatus.STATUS_CANCELED
    assert result.code == Result.CODE_CANCELLED
    assert_no_pose(result.result)
    result, _, _ = goals.do(images())
    assert result.code == Result.CODE_OK, result.message
    after = worker_values(running)
    assert int(after["restarts"]) == int(before["restarts"]) + 1
    assert after["process"] != before["process"]
    assert "cancelled" in after["last_failure"]


def test_a_killed_worker_is_said_and_other_interfaces_answer_meanwhile(running, goals):
    process = int(stop_worker(running, goals)["process"])  # so that it is killed with the goal in its hands
    goal = goals.send(images(0, 2))
    running.wait_for(lambda: worker_values(running)["goals"] == "1", ANSWER, "the goal to begin")
    seconds = []
    for _ in range(30):
        began = time.monotonic()
        running.call(ListKeyframes, "list_keyframes", ListKeyframes.Request())
        seconds.append(time.monotonic() - began)
    assert np.median(seconds) < 0.25, seconds  # includes making and discovering a client each time
    os.kill(process, signal.SIGKILL)
    result, status = goals.result(goal)
    assert status == GoalStatus.STATUS_ABORTED
    assert result.code == Result.CODE_WORKER_FAILED
    assert "SIGKILL" in result.message
    assert_no_pose(result.result)
    assert result.result.status == RelativePose.STATUS_REFUSED_INTERNAL
    hurried = images()
    hurried.wait_for_models = False
    result, _, _ = goals.do(hurried)
    assert result.code == Result.CODE_MODEL_LOADING
    assert "SIGKILL" in result.message
    result, _, feedback = goals.do(images())
    assert result.code == Result.CODE_OK, result.message
    assert feedback[0].stage == Feedback.STAGE_LOADING


def test_a_deadline_holds_when_the_worker_does_not_answer(running, goals):
    stop_worker(running, goals)
    goal = images()
    now = time.time()
    goal.deadline = Time(sec=int(now) + 2)
    result, _, _ = goals.do(goal)
    assert result.code == Result.CODE_DEADLINE, result.message
    assert time.time() - int(now) - 2 < 1.5
    assert_no_pose(result.result)


def test_policies_and_the_number_of_goals(running, goals):
    from rcl_interfaces.msg import Parameter, ParameterValue
    from rcl_interfaces.srv import SetParameters

    def set_parameter(parameter, value):
        kind = {"string_value": 4, "integer_value": 2}["string_value" if isinstance(value, str) else "integer_value"]
        typed = ParameterValue(type=kind, **{"string_value" if isinstance(value, str) else "integer_value": value})
        request = SetParameters.Request(parameters=[Parameter(name=parameter, value=typed)])
        return running.call(SetParameters, "set_parameters", request).results[0]

    stop_worker(running, goals)
    first = goals.send(images())
    assert set_parameter("action.max_goals", 1).successful
    assert goals.send(images()) is None
    assert set_parameter("action.max_goals", 8).successful
    second = goals.send(images(0, 2))
    assert set_parameter("action.policy", "reject").successful
    assert goals.send(images()) is None
    refused = set_parameter("action.policy", "whatever")
    assert not refused.successful
    assert "action.policy" in refused.reason
    assert set_parameter("action.policy", "preempt").successful
    third = goals.send(images())
    for goal in (first, second):
        result, status = goals.result(goal)
        assert result.code == Result.CODE_PREEMPTED
        assert status == GoalStatus.STATUS_ABORTED
        assert_no_pose(result.result)
    result, _ = goals.result(third)  # done by the next worker
    assert result.code == Result.CODE_OK, result.message
    assert set_parameter("action.policy", "queue").successful


def test_goals_end_when_the_node_is_deactivated_and_are_told_so_afterwards(running, goals):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    stop_worker(running, goals)
    goal = goals.send(images())
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert running.call(ChangeState, "change_state", request).success
    result, _ = goals.result(goal)
    assert result.code == Result.CODE_NOT_ACTIVE
    assert_no_pose(result.result)
    result, _, _ = goals.do(images())
    assert result.code == Result.CODE_NOT_ACTIVE
    assert "activate it" in result.message
