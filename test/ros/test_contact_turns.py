"""Callers in a line. Needs no ROS."""

import threading
import time

from interpose_ros.ros.contact_turns import Turn, Turns


def caller(turns, most_waiting, patience=30.0, is_open=lambda: True):
    """A caller in a thread: what came of waiting, an event when that is known, and one that ends its turn."""
    outcome, known, leave = [], threading.Event(), threading.Event()

    def call():
        with turns.turn(most_waiting, time.monotonic() + patience, is_open) as turn:
            outcome.append(turn)
            known.set()
            leave.wait(30)

    threading.Thread(target=call, daemon=True).start()
    return outcome, known, leave


def outcome_of(turns, most_waiting, patience):
    with turns.turn(most_waiting, time.monotonic() + patience, lambda: True) as turn:
        return turn


def test_one_at_a_time_then_the_next():
    turns = Turns()
    first, known, leave_first = caller(turns, 1)
    assert known.wait(10)
    second, known, leave_second = caller(turns, 1)
    while outcome_of(turns, 1, 0.0) is not Turn.FULL:
        pass  # until the second waits
    assert (first, second) == ([Turn.MINE], [])
    leave_first.set()
    assert known.wait(10)
    assert second == [Turn.MINE]
    leave_second.set()
    assert outcome_of(turns, 1, 10.0) is Turn.MINE


def test_nobody_waits_beyond_the_deadline():
    turns = Turns()
    _, known, leave = caller(turns, 1)
    assert known.wait(10)
    assert outcome_of(turns, 0, 10.0) is Turn.FULL
    assert outcome_of(turns, 1, 0.05) is Turn.TOO_LATE
    assert outcome_of(turns, 1, 0.0) is Turn.TOO_LATE
    leave.set()
    assert outcome_of(turns, 1, 10.0) is Turn.MINE


def test_those_who_wait_are_told_of_the_end():
    turns = Turns()
    is_open = [True]
    _, known, leave = caller(turns, 1)
    assert known.wait(10)
    waiting, known, _ = caller(turns, 1, is_open=lambda: is_open[0])
    while outcome_of(turns, 1, 0.0) is not Turn.FULL:
        pass
    is_open[0] = False
    turns.recheck()
    assert known.wait(10)
    assert waiting == [Turn.CLOSED]
    leave.set()
