"""A client of the node ``interpose`` for planners: calls that block with a timeout, and typed results.

::

    with InterposeClient() as client:
        estimate = client.estimate(KeyframeId("camera", 3_000_000_000), KeyframeId("camera", 9_000_000_000)).result(30.0)
        if estimate.pose is not None and estimate.pose.has_pose:
            print(estimate.pose.R_a_b, estimate.pose.confidence_5deg)
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from interpose_ros.action import EstimateRelativePose
from interpose_ros.msg import RelativePose
from interpose_ros.ros.client_results import (
    Estimate,
    EstimateCode,
    HeldKeyframe,
    Lookup,
    LookupCode,
    PoseAnswer,
    Progress,
    Stage,
    keyframe_from_message,
    pose_answer,
)
from interpose_ros.ros.conversions import NANOSECONDS, stamp_from_nanoseconds
from interpose_ros.ros.executor import SpinThread
from interpose_ros.ros.relative_pose import keyframe_id_message
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.srv import GetRelativePose, ListKeyframes, RefineContactPose
from interpose_ros.views import KeyframeId

REPLY = 5.0
"""Seconds that the quick services are waited for."""

TRIES = 3
"""How often a question is asked in that time."""

DISCOVERY = 10.0
"""Seconds that the node is looked for."""


class NodeNotReached(TimeoutError):
    """The node is not there, or did not answer in time."""


class _NoAnswer(NodeNotReached):
    """It is there, and has not answered yet."""


class NotActive(RuntimeError):
    """The node is there and is not in its active state."""


@dataclass(frozen=True, eq=False)
class ImageWithCamera:
    """An image that the node need not know, with its camera info."""

    image: Image
    camera_info: CameraInfo


class RunningEstimate:
    """An estimate under way.

    Args:
        handle: of the goal.
        executor: of the action's client.
        timeout: seconds that a quick answer is waited for.
    """

    def __init__(self, handle: Any, executor: Executor, timeout: float) -> None:
        self._handle = handle
        self._executor = executor
        self._timeout = timeout
        self._result: Future | None = _sent(executor, handle.get_result_async) if handle.accepted else None

    def result(self, timeout: float) -> Estimate:
        """Wait for its end.

        Raises:
            NodeNotReached: there is no result within ``timeout`` seconds; it goes on.
        """
        if self._result is None:
            return Estimate(EstimateCode.REJECTED, "rejected: see action.policy and action.max_goals", None)
        found: EstimateRelativePose.Result = _wait(self._result, timeout, "result of the estimate").result
        return Estimate(EstimateCode(found.code), found.message, pose_answer(found.result))

    def cancel(self) -> Estimate:
        """End it; returns the best so far.

        Raises:
            NodeNotReached: the node does not answer.
        """
        if self._result is not None:
            _wait(_sent(self._executor, self._handle.cancel_goal_async), self._timeout, "answer to the cancellation")
        return self.result(self._timeout)


class InterposeClient:
    """Talks to one node, from a node and a thread of its own: its calls may be made from anywhere, callbacks included.

    Args:
        name: full name of the node.
        context: that ``rclpy.init`` was called for; the default one by default.
    """

    def __init__(self, name: str = "/interpose", context: Context | None = None) -> None:
        self._name = name
        own = f"interpose_client_{uuid.uuid4().hex[:8]}"
        self._node = Node(own, context=context, use_global_arguments=False, start_parameter_services=False)
        self._clients: dict[type, Client] = {
            kind: self._node.create_client(kind, f"{name}/{service}", qos_profile=SERVICE_QUALITY)
            for kind, service in (
                (GetRelativePose, "get_relative_pose"),
                (ListKeyframes, "list_keyframes"),
                (Trigger, "reset"),
                (RefineContactPose, "refine_contact_pose"),
            )
        }
        self._action = ActionClient(
            self._node,
            EstimateRelativePose,
            f"{name}/estimate_relative_pose",
            goal_service_qos_profile=SERVICE_QUALITY,
            result_service_qos_profile=SERVICE_QUALITY,
            cancel_service_qos_profile=SERVICE_QUALITY,
        )
        self._executor = SingleThreadedExecutor(context=self._node.context)
        self._executor.add_node(self._node)
        self._thread = SpinThread(self._executor, own)

    def __enter__(self) -> InterposeClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the client; estimates under way go on."""
        self._thread.stop(REPLY)
        self._executor.shutdown()
        self._action.destroy()
        self._node.destroy_node()

    # --- what can be asked

    def get_relative_pose(self, a: KeyframeId, b: KeyframeId) -> Lookup:
        """The latest answer for two keyframes; nothing is computed.

        Raises:
            NodeNotReached: the node does not answer.
        """
        request = GetRelativePose.Request(keyframe_a=keyframe_id_message(a), keyframe_b=keyframe_id_message(b))
        response = self._ask(GetRelativePose, request)
        code = LookupCode(response.code)
        return Lookup(code, response.message, pose_answer(response.result) if code is LookupCode.OK else None)

    def list_keyframes(self, frame_id: str = "") -> list[HeldKeyframe]:
        """The keyframes that the node holds, oldest first; of one camera where ``frame_id`` is given.

        Raises:
            NodeNotReached: the node does not answer.
            NotActive: it is not in its active state.
        """
        response = self._ask(ListKeyframes, ListKeyframes.Request(frame_id=frame_id))
        if response.code != ListKeyframes.Response.CODE_OK:
            raise NotActive(response.message)
        return [
            HeldKeyframe(keyframe_from_message(name), frame, connected)
            for name, frame, connected in zip(response.keyframes, response.tf_frames, response.connected, strict=True)
        ]

    def reset(self) -> None:
        """Let the node forget keyframes, answers and edges.

        Raises:
            NodeNotReached: the node does not answer.
            NotActive: it is not in its active state.
        """
        response = self._call(Trigger, Trigger.Request(), REPLY)  # not twice: keyframes may have come since
        if not response.success:
            raise NotActive(response.message)

    def estimate(
        self,
        a: KeyframeId | ImageWithCamera,
        b: KeyframeId | ImageWithCamera,
        *,
        max_clips: int = 0,
        max_seconds: float = 0.0,
        deadline_ns: int = 0,
        wait_for_models: bool = True,
        publish: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> RunningEstimate:
        """Begin to estimate the pose of camera B in camera A.

        Args:
            a, b: two keyframes that the node holds, or two images.
            max_clips: of frames in between that are judged; 0: the node's own limit.
            max_seconds: of computation; 0: the node's own limit.
            deadline_ns: point in time on the node's clock; 0: none.
            wait_for_models: False ends with MODEL_LOADING where models load.
            publish: send the answer on ``~/relative_pose`` and, under the node's rules, on /tf.
            progress: told how far it is, on the client's thread; must not wait.

        Raises:
            NodeNotReached: the node does not answer.
            ValueError: one of both is an image and the other is not.
        """
        goal = EstimateRelativePose.Goal(
            max_clips=max_clips,
            max_duration=Duration(sec=int(max_seconds), nanosec=int(max_seconds % 1.0 * NANOSECONDS)),
            deadline=stamp_from_nanoseconds(deadline_ns),
            wait_for_models=wait_for_models,
            publish=publish,
        )
        if isinstance(a, KeyframeId) and isinstance(b, KeyframeId):
            goal.keyframe_a, goal.keyframe_b = keyframe_id_message(a), keyframe_id_message(b)
        elif isinstance(a, ImageWithCamera) and isinstance(b, ImageWithCamera):
            goal.image_a, goal.camera_info_a = a.image, a.camera_info
            goal.image_b, goal.camera_info_b = b.image, b.camera_info
        else:
            raise ValueError("name two keyframes, or give two images; not one of each")
        if not self._action.wait_for_server(DISCOVERY):
            raise NodeNotReached(f"no {self._name}/estimate_relative_pose within {DISCOVERY:g} s: does the node run?")

        def told(message: Any) -> None:
            if progress is not None:
                found = message.feedback
                progress(Progress(Stage(found.stage), found.text, found.fraction, pose_answer(found.best)))

        sent = _sent(self._executor, lambda: self._action.send_goal_async(goal, feedback_callback=told))
        return RunningEstimate(_wait(sent, REPLY, "answer to the goal"), self._executor, REPLY)

    def refine_contact_pose(self, request: RefineContactPose.Request, timeout: float) -> RefineContactPose.Response:
        """Bodies that touch; waits up to ``timeout`` seconds, which should be longer than ``request.deadline``.

        Raises:
            NodeNotReached: the node does not answer.
        """
        return self._call(RefineContactPose, request, timeout)

    def on_answer(self, callback: Callable[[PoseAnswer], None]) -> Callable[[], None]:
        """Be told every answer of the node, refusals too, on the client's thread. Returns what ends that."""
        subscription = self._node.create_subscription(
            RelativePose,
            f"{self._name}/relative_pose",
            lambda message: callback(pose_answer(message)),
            QoSProfile(depth=100),
        )

        def end() -> None:
            self._node.destroy_subscription(subscription)

        return end

    # --- parts

    def _ask(self, kind: type, request: Any) -> Any:
        """Call what may be called twice. A client that has found a service may not have been found by it yet, and the
        middleware drops the answer to its call then."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(_NoAnswer):
                return self._call(kind, request, REPLY / TRIES)
        return self._call(kind, request, REPLY / TRIES)

    def _call(self, kind: type, request: Any, timeout: float) -> Any:
        client = self._clients[kind]
        if not client.wait_for_service(DISCOVERY):
            raise NodeNotReached(f"no {client.srv_name} within {DISCOVERY:g} s: does the node run?")
        future = client.call_async(request)
        try:
            return _wait(future, timeout, f"answer of {client.srv_name}")
        except _NoAnswer:
            client.remove_pending_request(future)
            raise


def _sent(executor: Executor, send: Callable[[], Future]) -> Future:
    """Send a request of the action on the executor's thread: rclpy's ActionClient notes what it has asked after sending it,
    and throws an answer away that another thread has taken in by then."""
    return _wait(executor.create_task(send), REPLY, "turn to send a request")


def _wait(future: Future, timeout: float, what: str) -> Any:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    if not done.wait(timeout):
        raise _NoAnswer(f"no {what} within {timeout:g} s")
    return future.result()
