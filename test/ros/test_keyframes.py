"""What the node remembers, and what it forgets."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from interpose_ros.geometry.camera import Camera
from interpose_ros.ros.frame_ring import FrameRing, FreshFrame, StreamFrame
from interpose_ros.ros.keyframes import CameraInfoCache, KeyframeStore, ordered_pair, tf_frame_name
from interpose_ros.views import KeyframeId, View

CAMERA = Camera(np.array([[50.0, 0, 20], [0, 50.0, 16], [0, 0, 1]]), 40, 32)


def view(frame_id: str, stamp: int, value: int = 0) -> View:
    return View(np.full((32, 40, 3), value, np.uint8), CAMERA, KeyframeId(frame_id, stamp))


def test_store_is_bounded_and_remembers_what_it_dropped():
    store = KeyframeStore(2, 1e9)
    for stamp in (1, 2):
        assert store.add(view("a", stamp)) == []
    assert store.add(view("a", 3)) == [KeyframeId("a", 1)]
    assert store.was_evicted(KeyframeId("a", 1))
    assert not store.was_evicted(KeyframeId("a", 4))
    assert store.names == [KeyframeId("a", 2), KeyframeId("a", 3)]


def test_store_is_bounded_in_bytes_but_holds_a_pair():
    one = view("a", 0).image.nbytes
    store = KeyframeStore(100, 3.0 * one)
    for stamp in range(5):
        store.add(view("a", stamp))
    assert [name.stamp_ns for name in store.names] == [2, 3, 4]
    assert store.nbytes == 3 * one
    small = KeyframeStore(100, 1.0)
    assert [small.add(view("a", stamp)) for stamp in range(3)] == [[], [], [KeyframeId("a", 0)]]
    assert small.nbytes == 2 * one


def test_same_name_with_other_content_is_refused():
    store = KeyframeStore(5, 1e9)
    store.add(view("a", 1, 7))
    assert store.add(view("a", 1, 7)) == []
    with pytest.raises(ValueError, match="twice with different content"):
        store.add(view("a", 1, 8))
    assert store.get(KeyframeId("a", 1)).image[0, 0, 0] == 7


def test_previous_is_of_the_same_camera_and_window_of_any():
    store = KeyframeStore(9, 1e9)
    for frame_id, stamp in (("a", 1), ("b", 1), ("a", 2), ("b", 2)):
        store.add(view(frame_id, stamp))
    assert store.previous(KeyframeId("a", 2)) == KeyframeId("a", 1)
    assert store.previous(KeyframeId("a", 1)) is None
    assert store.last_before(KeyframeId("b", 2), 2) == [KeyframeId("a", 2), KeyframeId("b", 1)]
    assert ordered_pair(KeyframeId("a", 2), KeyframeId("b", 1)) == (KeyframeId("b", 1), KeyframeId("a", 2))


def test_ring_is_bounded_and_thins_evenly():
    ring = FrameRing(500, 2)
    for stamp in range(100):
        ring.add(StreamFrame(KeyframeId("a", stamp), bytes(100), "jpeg", 40, 32))
    stamps = [frame.keyframe_id.stamp_ns for frame in ring.between("a", -1, 1000)]
    assert len(stamps) == 5
    assert (stamps[0], stamps[-1]) == (0, 99)
    assert max(np.diff(stamps)) <= 64
    assert [f.keyframe_id.stamp_ns for f in ring.between("a", 0, 99)] == stamps[1:-1]
    assert ring.between("b", 0, 99) == []
    ring.forget_before("a", 50)
    assert all(frame.keyframe_id.stamp_ns >= 50 for frame in ring.between("a", -1, 1000))


def fresh(stamp: int) -> FreshFrame:
    return FreshFrame(KeyframeId("a", stamp), np.zeros((32, 40, 3), np.uint8))


def encoded(frame: FreshFrame, size: int = 100) -> StreamFrame:
    return StreamFrame(frame.keyframe_id, bytes(size), "jpeg", 40, 32)


def test_ring_asks_for_encoding_only_of_frames_that_stay():
    """A hundred come for five places: with pixels or with files, the same frames stay."""
    ring, files, count = FrameRing(500, 2), FrameRing(500, 2), 0
    for stamp in range(100):
        to_encode = ring.add(fresh(stamp))
        if to_encode is not None:
            assert to_encode.keyframe_id.stamp_ns == stamp - 1
            ring.replace(to_encode, encoded(to_encode))
            count += 1
    for stamp in range(99):
        files.add(StreamFrame(KeyframeId("a", stamp), bytes(100), "jpeg", 40, 32))
    kept = ring.between("a", -1, 1000)
    assert isinstance(kept[-1], FreshFrame)
    assert kept[-1].keyframe_id.stamp_ns == 99
    assert all(isinstance(frame, StreamFrame) for frame in kept[:-1])
    assert len(kept) == 6
    stamps = [frame.keyframe_id.stamp_ns for frame in kept]
    assert stamps[0] == 0
    assert max(np.diff(stamps)) <= 64
    assert count < 30


def test_ring_forgets_what_is_being_encoded_too():
    ring = FrameRing(500, 2)
    ring.add(fresh(1))
    to_encode = ring.add(fresh(2))
    assert to_encode is not None
    ring.clear()
    ring.replace(to_encode, encoded(to_encode))
    assert ring.between("a", 0, 9) == []
    ring.add(fresh(3))
    assert ring.add(fresh(3)) is None  # the same stamp again
    assert [frame.keyframe_id.stamp_ns for frame in ring.between("a", 0, 9)] == [3]
    ring.forget_before("a", 4)
    assert ring.between("a", 0, 9) == []


def test_ring_holds_its_bound_when_files_are_larger_than_expected():
    ring = FrameRing(1000, 2)
    for stamp in range(40):
        to_encode = ring.add(fresh(stamp))
        if to_encode is not None:
            ring.replace(to_encode, encoded(to_encode, 50 + 20 * stamp))
        held = [frame for frame in ring.between("a", -1, 100) if isinstance(frame, StreamFrame)]
        assert sum(len(frame.data) for frame in held) <= 1000
    assert FrameRing(0, 2).add(fresh(1)) is None


def test_cameras_are_kept_by_frame_and_size():
    cache = CameraInfoCache()
    assert "none came at all" in cache.why_missing("a", 40, 32)
    cache.add("a", CAMERA)
    assert cache.get("a", 40, 32) is CAMERA
    assert cache.get("a", 80, 64) is None
    assert "is for 40x32" in cache.why_missing("a", 80, 64)
    assert "it came for a only" in cache.why_missing("b", 40, 32)
    cache.add_problem("a", "K is all zeros")
    assert cache.get("a", 40, 32) is None
    assert "K is all zeros" in cache.why_missing("a", 40, 32)


def test_frame_names_have_no_leading_slash():
    pattern = "{frame_id}_kf_{sec}_{nanosec}"
    assert tf_frame_name(pattern, KeyframeId("/cam/optical", 3_000_000_005)) == "cam/optical_kf_3_5"
