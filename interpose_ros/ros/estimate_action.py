"""``~/estimate_relative_pose``: an estimate with progress, budget, deadline and cancellation."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeAlias, runtime_checkable

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from interpose_ros.action import EstimateRelativePose
from interpose_ros.answer import PairAnswer
from interpose_ros.engine.messages import FailureKind
from interpose_ros.engine.pair_worker import PairWorker
from interpose_ros.engine.worker_status import CancelledJob, WorkerFailure, WorkerState
from interpose_ros.msg import RelativePose
from interpose_ros.refusal import Refusal, RefusalReason
from interpose_ros.ros.goal import RunningGoal, seconds_of
from interpose_ros.ros.goal_views import GoalProblem, drop_images, views_of_goal
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.relative_pose import refusal_message
from interpose_ros.ros.service_quality import SERVICE_QUALITY
from interpose_ros.ros.session import Session, refusal_of_failure
from interpose_ros.views import View

Feedback = EstimateRelativePose.Feedback
Result: TypeAlias = EstimateRelativePose.Result

_STAGES = {
    "overlap": (Feedback.STAGE_OVERLAP, "matching the keyframes"),
    "two_view": (Feedback.STAGE_TWO_VIEW, "pose from the keyframes alone"),
    "clips": (Feedback.STAGE_CLIPS, "frames in between"),
    "clip_poses": (Feedback.STAGE_CLIP_POSES, "pose over frames in between"),
    "selection": (Feedback.STAGE_SELECTION, "choosing among hypotheses"),
}
_WHY = {
    Result.CODE_CANCELLED: "cancelled",
    Result.CODE_DEADLINE: "time was up",
    Result.CODE_PREEMPTED: "another goal took over",
    Result.CODE_NOT_ACTIVE: "the node is no longer active",
}
_LOADING = (WorkerState.LOADING, WorkerState.RESTARTING)
_LOOK = 0.05


@runtime_checkable
class GoalHost(Protocol):
    """What goals need of the node."""

    @property
    def session(self) -> Session | None:
        """None outside the active state."""

    @property
    def worker(self) -> PairWorker | None:
        """None before the node is configured."""

    @property
    def config(self) -> NodeConfig:
        """The settings."""


class _Server(ActionServer):
    """Works on goals outside of the executor, whose threads are for short callbacks."""

    def __init__(self, node: Node, name: str, begin: Callable[[ServerGoalHandle], None], **options) -> None:
        self._begin = begin
        super().__init__(node, EstimateRelativePose, name, lambda handle: Result(), **options)

    def notify_execute(self, goal_handle: ServerGoalHandle, execute_callback: object) -> None:
        self._begin(goal_handle)

    def finish(self, goal_handle: ServerGoalHandle, result: Callable[[ServerGoalHandle], Result]) -> None:
        """Send the result; ``result`` is called in the executor, and sets the goal's final state."""
        super().notify_execute(goal_handle, result)


class EstimateAction:
    """The action, as long as the node exists. Each goal has a thread that waits for the worker.

    Args:
        node: owns it.
        host: what is asked for the session, the worker and the settings at the time.
        group: of its callbacks, which are short.
    """

    def __init__(self, node: Node, host: GoalHost, group: CallbackGroup) -> None:
        self._node, self._host = node, host
        self._lock = threading.Lock()
        self._goals: list[RunningGoal] = []
        self._numbers = itertools.count(1)
        self._server = _Server(
            node,
            "~/estimate_relative_pose",
            self._begin,
            goal_callback=self._on_goal,
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
            callback_group=group,
            goal_service_qos_profile=SERVICE_QUALITY,
            result_service_qos_profile=SERVICE_QUALITY,
            cancel_service_qos_profile=SERVICE_QUALITY,
        )

    @property
    def goals(self) -> int:
        """Goals under way or waiting."""
        with self._lock:
            return len(self._goals)

    def end_goals(self, timeout: float) -> bool:
        """End all goals, since the node is no longer active. True when they have within ``timeout`` seconds."""
        with self._lock:
            goals = list(self._goals)
        for goal in goals:
            goal.end(Result.CODE_NOT_ACTIVE)
        deadline = time.monotonic() + timeout
        for goal in goals:
            if goal.thread is not None:
                goal.thread.join(max(0.0, deadline - time.monotonic()))
        return not any(goal.thread is not None and goal.thread.is_alive() for goal in goals)

    # --- callbacks

    def _on_goal(self, _goal: EstimateRelativePose.Goal) -> GoalResponse:
        settings, count = self._host.config.action, self.goals
        if count >= settings.max_goals or (count and settings.policy == "reject"):
            why = "action.policy is reject" if settings.policy == "reject" else "action.max_goals"
            self._node.get_logger().info(f"a goal is rejected while {count} are under way: {why}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, handle: ServerGoalHandle) -> None:
        goal = RunningGoal(handle, self._node.get_clock(), next(self._numbers))
        goal.thread = threading.Thread(
            target=self._work, args=(goal,), name=f"interpose_goal_{goal.number}", daemon=True
        )
        with self._lock:
            others = list(self._goals)
            self._goals.append(goal)
            goal.thread.start()
        if self._host.config.action.policy == "preempt":
            for other in others:
                other.end(Result.CODE_PREEMPTED)

    # --- a goal, on its own thread

    def _work(self, goal: RunningGoal) -> None:
        try:
            result = self._result(goal)
        except GoalProblem as problem:
            result = self._refused(goal, problem.code, problem.text)
        except Exception as error:  # a bad goal must not take the node down
            self._node.get_logger().error(f"a goal failed: {type(error).__name__}: {error}")
            result = self._refused(goal, Result.CODE_INTERNAL, f"{type(error).__name__} inside the node; see its log")
        drop_images(goal.goal)
        with self._lock:
            self._goals.remove(goal)
        if self._node.context.ok():  # at the end of the process there is nobody left to tell
            self._server.finish(goal.handle, lambda handle: _ended(handle, result))

    def _result(self, goal: RunningGoal) -> Result:
        host, message = self._host, goal.goal
        session, worker = host.session, host.worker
        if session is None or worker is None:
            raise GoalProblem(Result.CODE_NOT_ACTIVE, "the node is not active: activate it")
        budget = host.config.budget.as_budget(message.max_clips, seconds_of(message.max_duration))
        view_a, view_b = views_of_goal(message, session)
        drop_images(message)
        if code := goal.why_it_must_end():
            raise GoalProblem(code, f"{_WHY[code]} before anything was begun")
        self._wait_for_models(goal, worker, session)
        if worker.status.state is WorkerState.BUSY:
            self._tell(goal, session, Feedback.STAGE_WAITING, "another pair is being worked on", 0.0, None)
        best: PairAnswer | None = None

        def keep(answer: PairAnswer) -> None:
            nonlocal best
            best = answer

        def progress(stage: str, fraction: float) -> None:
            goal.begin_computing(budget.seconds)
            number, text = _STAGES.get(stage, (Feedback.STAGE_CLIPS, stage))
            self._tell(goal, session, number, text, fraction, best)

        try:
            answer = worker.estimate(
                view_a,
                view_b,
                session.frames_between(view_a, view_b),
                budget=budget,
                progress=progress,
                best=keep,
                cancelled=lambda: bool(goal.why_it_must_end()),
                is_urgent=True,
            )
        except CancelledJob as cancelled:
            return self._cut_short(goal, session, goal.why_it_must_end(), cancelled.best or best)
        except WorkerFailure as failure:
            self._node.get_logger().warning(f"a goal failed: {failure}")
            code = Result.CODE_INTERNAL if failure.kind is FailureKind.ERROR else Result.CODE_WORKER_FAILED
            return Result(
                code=code, message=str(failure), result=refusal_message(*goal.names, refusal_of_failure(failure))
            )
        if answer.best_so_far is not None:  # the budget's seconds were spent
            return self._cut_short(goal, session, Result.CODE_DEADLINE, answer)
        self._tell(goal, session, Feedback.STAGE_SCALE, "length of the translation", 1.0, answer)
        answer = session.scaled(answer, view_a, view_b)
        return self._answered(goal, session, answer, view_a, view_b)

    def _answered(self, goal: RunningGoal, session: Session, answer: PairAnswer, view_a: View, view_b: View) -> Result:
        if goal.goal.publish and self._host.session is session:
            session.accept(answer, view_a, view_b)
        found = session.message(answer)
        text = "a pose" if found.status == RelativePose.STATUS_OK else f"refused: {found.reason}"
        return Result(code=Result.CODE_OK, message=text, result=found)

    def _wait_for_models(self, goal: RunningGoal, worker: PairWorker, session: Session) -> None:
        is_told = False
        while (status := worker.status).state in _LOADING:
            if not goal.goal.wait_for_models:
                text = f"models are loading{f' again: {status.last_failure}' if status.last_failure else ''}"
                raise GoalProblem(Result.CODE_MODEL_LOADING, f"{text}; ask again, or set wait_for_models")
            if code := goal.why_it_must_end():
                raise GoalProblem(code, f"{_WHY[code]} while models were loading")
            if not is_told:
                self._tell(goal, session, Feedback.STAGE_LOADING, "models are loading", 0.0, None)
                is_told = True
            worker.wait_while(_LOADING, _LOOK)

    def _tell(
        self,
        goal: RunningGoal,
        session: Session,
        stage: int,
        text: str,
        fraction: float,
        best: PairAnswer | None,
    ) -> None:
        feedback = Feedback(stage=stage, text=text, fraction=min(max(float(fraction), 0.0), 1.0))
        if best is None:
            feedback.best = refusal_message(*goal.names, Refusal(RefusalReason.CANCELLED, "nothing has been found yet"))
        else:
            feedback.best = session.message(best)
        goal.handle.publish_feedback(feedback)

    @staticmethod
    def _cut_short(
        goal: RunningGoal,
        session: Session,
        code: int,
        answer: PairAnswer | None,
    ) -> Result:
        """The result of a goal that ended early: the best so far, whose refusal says so where it is none."""
        why = _WHY[code]
        if answer is None:
            refusal = Refusal(RefusalReason.CANCELLED, f"{why} before anything was found")
            return Result(code=code, message=refusal.text, result=refusal_message(*goal.names, refusal))
        if answer.selected is None:
            refusal = Refusal(RefusalReason.CANCELLED, f"{why} before an answer was found")
            answer = replace(answer, refusal=refusal)
            return Result(code=code, message=refusal.text, result=session.message(answer))
        return Result(code=code, message=f"{why}; this is the best so far", result=session.message(answer))

    @staticmethod
    def _refused(goal: RunningGoal, code: int, text: str) -> Result:
        reason = {
            Result.CODE_MODEL_LOADING: RefusalReason.MODEL,
            Result.CODE_INTERNAL: RefusalReason.INTERNAL,
            Result.CODE_INVALID_REQUEST: RefusalReason.BAD_INPUT,
            Result.CODE_UNKNOWN_KEYFRAME: RefusalReason.BAD_INPUT,
        }.get(code, RefusalReason.CANCELLED)
        return Result(code=code, message=text, result=refusal_message(*goal.names, Refusal(reason, text)))


def _ended(handle: ServerGoalHandle, result: Result) -> Result:
    """Set the goal's final state, and return its result."""
    if handle.is_cancel_requested:
        if result.code == Result.CODE_OK:
            result.code, result.message = Result.CODE_CANCELLED, "cancelled when the answer was there already"
        handle.canceled()
    elif result.code in (Result.CODE_OK, Result.CODE_DEADLINE):
        handle.succeed()
    else:
        handle.abort()
    return result
