"""Planners that call everything that the node offers, at once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from contact_requests import handshake

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.ros.client import ImageWithCamera, InterposeClient, NodeNotReached
from interpose_ros.srv import RefineContactPose
from interpose_ros.views import KeyframeId

RESULT = 60.0
"""Seconds that what computes is waited for."""

CONTACT_DEADLINE = 5.0
"""Seconds that a refinement may take; others wait for it or are told that it is busy."""

RESET_EVERY = 10
"""Rounds of the first planner."""


class Planners:
    """Programs with the client library, each on a thread.

    Args:
        clients: how many.
        pair: two images of one place, for goals.
        frame_id: of the keyframes that are asked for.
    """

    def __init__(self, clients: int, pair: tuple[ImageWithCamera, ImageWithCamera], frame_id: str) -> None:
        self._pair = pair
        self._frame_id = frame_id
        self._request = handshake(AnnyBody.load())
        self._request.deadline = CONTACT_DEADLINE
        self._lock = threading.Lock()
        self._waits: dict[str, list[float]] = {}
        self._codes: dict[str, Counter[str]] = {}
        self._unanswered: Counter[str] = Counter()
        self._threads = [threading.Thread(target=self._plan, args=(k,), daemon=True) for k in range(clients)]

    def start(self, seconds: float) -> None:
        """Begin to call."""
        self._end = time.monotonic() + seconds
        for thread in self._threads:
            thread.start()

    def figures(self) -> dict[str, Any]:
        """Wait for their last calls; what came of them, by interface."""
        for thread in self._threads:
            thread.join(4 * RESULT)
        stuck = sum(thread.is_alive() for thread in self._threads)
        calls = {
            name: {
                "calls": len(waits),
                "unanswered": self._unanswered[name],
                "codes": dict(self._codes.get(name, {})),
                **_times(waits),
            }
            for name, waits in self._waits.items()
        }
        return {"clients": len(self._threads), "stuck": stuck, **calls}

    def _plan(self, number: int) -> None:
        context = rclpy.Context()
        rclpy.init(context=context)
        with InterposeClient(context=context) as client:
            rounds = 0
            while time.monotonic() < self._end:
                rounds += 1
                self._round(client, number, rounds)
        rclpy.shutdown(context=context)

    def _round(self, client: InterposeClient, number: int, rounds: int) -> None:
        goal = self._timed("goal accepted", lambda: client.estimate(*self._pair))
        self._timed("list_keyframes", client.list_keyframes)
        some = KeyframeId(self._frame_id, rounds)
        self._timed(
            "get_relative_pose",
            lambda: client.get_relative_pose(some, KeyframeId(self._frame_id, 0)),
            lambda r: r.code.name,
        )
        if number % 2:
            self._timed("refine_contact_pose", lambda: self._refined(client), _contact_code)
        if number == 0 and rounds % RESET_EVERY == 0:
            self._timed("reset", client.reset)
        if goal is None:
            return
        if (rounds + number) % 3:
            self._timed("goal cancelled", goal.cancel, lambda r: r.code.name)
        else:
            self._timed("goal's result", lambda: goal.result(RESULT), lambda r: r.code.name)

    def _refined(self, client: InterposeClient) -> RefineContactPose.Response:
        return client.refine_contact_pose(self._request, RESULT)

    def _timed(self, name: str, call: Callable[[], Any], code_of: Callable[[Any], str] | None = None) -> Any:
        began = time.monotonic()
        answer = None
        with contextlib.suppress(NodeNotReached):
            answer = call() or True
        took = time.monotonic() - began
        with self._lock:
            if answer is None:
                self._unanswered[name] += 1
                self._waits.setdefault(name, [])
            else:
                self._waits.setdefault(name, []).append(took)
                if code_of is not None:
                    self._codes.setdefault(name, Counter())[code_of(answer)] += 1
        return answer


def _contact_code(response: RefineContactPose.Response) -> str:
    names = [name for name in dir(RefineContactPose.Response) if name.startswith("CODE_")]
    return next(name[5:] for name in names if getattr(response, name) == response.code)


def _times(waits: list[float]) -> dict[str, float]:
    if not waits:
        return {}
    median, p99, most = (round(1e3 * float(q), 1) for q in np.percentile(waits, (50, 99, 100)))
    return {"median_ms": median, "p99_ms": p99, "max_ms": most}
