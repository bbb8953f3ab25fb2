"""The queue is bounded in items and in weight, and says what it dropped."""

import threading

import pytest

from interpose_ros.ros.bounded_worker import BoundedWorker
from interpose_ros.ros.late_policy import SkipEveryOther, drop_newest, drop_oldest, victim_from
from interpose_ros.ros.node_config import NodeConfig


class Recorder:
    """A worker whose first item, 0, keeps it busy until it is told to go on."""

    def __init__(self, capacity, max_weight, victim=drop_oldest):
        self.handled, self.dropped, self.failed = [], [], []
        self.begun, self.go_on, self.last = threading.Event(), threading.Event(), threading.Event()
        self.worker = BoundedWorker(
            "test",
            capacity,
            self._handle,
            self.dropped.append,
            lambda item, error: self.failed.append((item, str(error))),
            float,
            max_weight,
            victim,
        )
        self.worker.put(0)
        assert self.begun.wait(5)

    def _handle(self, item):
        if item == 0:
            self.begun.set()
            assert self.go_on.wait(5)
        self.handled.append(item)
        if item == -1:
            self.last.set()
        if item == 13:
            raise ValueError("unlucky")

    def finish(self):
        self.worker.put(-1)
        self.go_on.set()
        assert self.last.wait(5)
        assert self.worker.stop(5.0)


def test_oldest_items_are_dropped_beyond_the_capacity():
    recorder = Recorder(3, 1e9)
    for item in (1, 2, 3, 4):
        recorder.worker.put(item)
    assert recorder.worker.load == 4
    recorder.finish()
    assert recorder.dropped == [1, 2]
    assert recorder.handled == [0, 3, 4, -1]


def test_oldest_items_are_dropped_beyond_the_weight_but_one_heavy_item_passes():
    recorder = Recorder(100, 10.0)
    for item in (4, 5, 6, 99):
        recorder.worker.put(item)
    assert recorder.dropped == [4, 5, 6]
    recorder.finish()
    assert recorder.dropped == [4, 5, 6, 99]


def test_newest_items_are_dropped_where_that_is_asked_for():
    recorder = Recorder(3, 1e9, drop_newest)
    for item in (1, 2, 3, 4, 5):
        recorder.worker.put(item)
    assert recorder.dropped == [4, 5]
    recorder.worker.clear()
    recorder.finish()
    assert recorder.handled == [0, -1]


def test_skipping_leaves_items_spread_evenly():
    recorder = Recorder(10, 1e9, SkipEveryOther())
    for item in range(1, 41):
        recorder.worker.put(item)
    kept = sorted(set(range(1, 41)) - set(recorder.dropped))
    assert len(kept) == 10
    assert kept[-1] == 40
    gaps = [b - a for a, b in zip([0, *kept], kept, strict=False)]
    assert max(gaps) <= 9
    recorder.worker.clear()
    recorder.finish()


@pytest.mark.parametrize(("name", "kind"), [("drop_oldest", 0), ("drop_newest", 6), ("skip", 0)])
def test_the_settings_name_the_policy(name, kind):
    assert victim_from(NodeConfig(when_late=name))(7) == kind


def test_an_error_does_not_end_the_thread():
    recorder = Recorder(100, 100.0)
    recorder.worker.put(13)
    recorder.finish()
    assert recorder.failed == [(13, "unlucky")]
    assert recorder.handled == [0, 13, -1]
