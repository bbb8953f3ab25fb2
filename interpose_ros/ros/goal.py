"""One goal of ``~/estimate_relative_pose``: how long it may go on, and why it ended."""

from __future__ import annotations

import math
import threading
import time

from builtin_interfaces.msg import Duration
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock

from interpose_ros.action import EstimateRelativePose
from interpose_ros.ros.conversions import NANOSECONDS, nanoseconds_from_stamp
from interpose_ros.ros.goal_views import GoalProblem, keyframes_of_goal

Result = EstimateRelativePose.Result

GRACE = 0.3
"""Seconds beyond ``max_duration`` that the worker has for handing over what it found."""


class RunningGoal:
    """A goal that has been accepted. Its limits are asked for all the time, from its own thread.

    Args:
        handle: of the action server.
        clock: the node's, which the deadline is told on.
        number: for the thread's name.

    Attributes:
        names: of keyframes A and B.
    """

    def __init__(self, handle: ServerGoalHandle, clock: Clock, number: int) -> None:
        self.handle = handle
        self.goal: EstimateRelativePose.Goal = handle.request
        self.names = keyframes_of_goal(self.goal)
        self.thread: threading.Thread | None = None
        self.number = number
        self._clock = clock
        self._computing_since = math.inf
        self._seconds = math.inf
        self._ended_from_outside = 0
        self._deadline_ns = nanoseconds_from_stamp(self.goal.deadline)

    def end(self, code: int) -> None:
        """End it from outside: preempted, or the node is no longer active."""
        self._ended_from_outside = code

    def begin_computing(self, seconds: float) -> None:
        """The worker has begun; it may take ``seconds``."""
        if math.isinf(self._computing_since):
            self._computing_since, self._seconds = time.monotonic(), seconds

    def why_it_must_end(self) -> int:
        """CODE_* of the result that is due now; CODE_UNSET while it may go on."""
        if self._ended_from_outside:
            return self._ended_from_outside
        if self.handle.is_cancel_requested:
            return Result.CODE_CANCELLED
        if self._deadline_ns and self._clock.now().nanoseconds >= self._deadline_ns:
            return Result.CODE_DEADLINE
        if time.monotonic() - self._computing_since > self._seconds + GRACE:
            return Result.CODE_DEADLINE
        return Result.CODE_UNSET


def seconds_of(duration: Duration) -> float:
    """A goal's ``max_duration`` in seconds; 0 for none.

    Raises:
        GoalProblem: it is no duration that can pass.
    """
    seconds = duration.sec + duration.nanosec / NANOSECONDS
    if seconds < 0 or duration.nanosec >= NANOSECONDS:
        text = (
            f"max_duration is {duration.sec} s and {duration.nanosec} ns: it must not be negative, 0 for the node's own"
        )
        raise GoalProblem(Result.CODE_INVALID_REQUEST, text)
    return seconds
