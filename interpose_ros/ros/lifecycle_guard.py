"""Transitions on request, on a thread of their own, and without an end of the node where one is impossible."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.service import Service


def guard_transitions(node: LifecycleNode) -> None:
    """Let a transition that takes seconds leave the other callbacks alone, and refuse one that the state does not allow.

    rclpy raises in the executor where, say, an unconfigured node is asked to activate, which would end the process.
    It has no public way to reach its service.
    """
    service: Service = node._service_change_state
    group = MutuallyExclusiveCallbackGroup()
    service.callback_group = group
    group.add_entity(service)
    change = service.callback

    def guarded(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        try:
            return change(request, response)
        except RuntimeError as error:  # RCLError is one
            wanted = request.transition.label or request.transition.id
            state = node._state_machine.current_state[1]
            node.get_logger().error(f"transition {wanted} is not possible in state {state}: {error}")
            return ChangeState.Response(success=False)

    service.callback = guarded


def logged(transition: Callable[..., TransitionCallbackReturn]) -> Callable[..., TransitionCallbackReturn]:
    """Say in the log what error a transition ends with; rclpy keeps it to itself."""

    @functools.wraps(transition)
    def guarded(self: Any, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(self, state)
        except Exception:
            self.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return guarded
