"""Which images become keyframes, and which keyframes become pairs."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from interpose_ros.config import InterposeConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.odometry import NoScale, OdometryConfig, OdometryTrack
from interpose_ros.ros.keyframe_choice import EnoughMotion, LittleOverlap
from interpose_ros.ros.keyframes import KeyframeStore
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.overlap_choice import on_processor
from interpose_ros.ros.pair_choice import ListedPairs, pair_choice_from
from interpose_ros.ros.pair_list import parse_pair
from interpose_ros.views import KeyframeId, View

CAMERA = Camera(np.array([[50.0, 0, 20], [0, 50.0, 16], [0, 0, 1]]), 40, 32)


def view(frame_id: str, stamp: int, value: int = 0) -> View:
    return View(np.full((32, 40, 3), value, np.uint8), CAMERA, KeyframeId(frame_id, stamp))


def pairs_as_they_arrive(choice, names):
    store, found = KeyframeStore(100, 1e9), []
    for name in names:
        store.add(view(name.frame_id, name.stamp_ns))
        found.append(choice.pairs(name, store))
    return found


def test_listed_stamps_are_decimal_seconds():
    a, b = parse_pair("3.04 front/optical@1700000000.123456789")
    assert (a.frame_id, a.stamp_ns) == (None, 3_040_000_000)
    assert (b.frame_id, b.stamp_ns) == ("front/optical", 1_700_000_000_123_456_789)
    name = KeyframeId("cam", 3_040_000_000)
    assert parse_pair(f"{name} 5")[0].matches(name)  # as the log writes it


@pytest.mark.parametrize("text", ["", "1.0", "1.0 2.0 3.0", "1.0 2,0", "1.0 -2.0", "1.0 2.0123456789", "@1 2"])
def test_unreadable_pairs_are_named(text):
    with pytest.raises(ValueError, match="is no pair"):
        NodeConfig(pair_choice="list", pair_list=(text,))


@pytest.mark.parametrize("text", ["1.0 1", "a@1 a@1.00"])
def test_a_keyframe_is_not_paired_with_itself(text):
    with pytest.raises(ValueError, match="with itself"):
        parse_pair(text)


def test_a_list_is_asked_for():
    with pytest.raises(ValueError, match="pair_list is empty"):
        NodeConfig(pair_choice="list")


def test_listed_pairs_keep_their_direction_whatever_arrives_first():
    second = 10**9
    names = [KeyframeId("a", n * second) for n in (1, 2, 3)]
    choice = pair_choice_from(NodeConfig(pair_choice="list", pair_list=("3 1", "a@2.0 3", "b@1 2")))
    assert pairs_as_they_arrive(choice, names) == [[], [], [(names[2], names[0]), (names[1], names[2])]]


def test_listed_stamps_without_camera_pair_a_rig():
    a1, b1, a2 = KeyframeId("a", 10**9), KeyframeId("b", 10**9), KeyframeId("a", 2 * 10**9)
    assert pairs_as_they_arrive(ListedPairs([parse_pair("1 2")]), [a1, b1, a2]) == [[], [], [(a1, a2), (b1, a2)]]
    assert pairs_as_they_arrive(ListedPairs([parse_pair("b@1 2")]), [a1, b1, a2]) == [[], [], [(b1, a2)]]


def test_window_and_previous():
    names = [KeyframeId(frame_id, stamp) for stamp in (1, 2) for frame_id in ("a", "b")]
    window = pairs_as_they_arrive(pair_choice_from(NodeConfig(pair_choice="window", pair_window=2)), names)
    assert [len(pairs) for pairs in window] == [0, 1, 2, 2]
    assert window[3] == [(names[2], names[3]), (names[1], names[3])]
    previous = pairs_as_they_arrive(pair_choice_from(NodeConfig(pair_choice="previous")), names)
    assert previous == [[], [], [(names[0], names[2])], [(names[1], names[3])]]


def test_overlap_is_with_the_last_keyframe_of_the_camera():
    shares = {("a", 0, 1): 0.9, ("a", 0, 2): 0.4, ("a", 2, 3): 0.8}

    def overlap(last, new):
        return shares[new.keyframe_id.frame_id, last.keyframe_id.stamp_ns, new.keyframe_id.stamp_ns]

    choice = LittleOverlap(overlap, 0.5)
    assert [choice.wants(view("a", n)) for n in (0, 1, 2, 3)] == [True, False, True, False]
    assert choice.wants(view("b", 3))
    choice.clear()
    assert choice.wants(view("a", 3))


def test_motion_is_that_since_the_last_keyframe():
    """0.1 m a second for 10 s, then 2 degrees a second on the spot."""
    track = OdometryTrack(OdometryConfig())
    for tick in range(41):
        seconds = 0.5 * tick
        turn = math.radians(2.0 * max(seconds - 10.0, 0.0))
        T_odom_base = np.eye(4)
        T_odom_base[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
        T_odom_base[0, 3] = 0.1 * min(seconds, 10.0)
        track.add(tick * 500_000_000, T_odom_base)
    warnings = []
    choice = EnoughMotion(track.motion, 0.35, math.radians(5.0), warnings.append)
    chosen = [second for second in range(21) if choice.wants(view("a", second * 10**9))]
    assert chosen == [0, 4, 8, 13, 16, 19]
    assert warnings == []


def test_images_of_unknown_motion_are_taken_and_that_is_said_once():
    warnings = []
    choice = EnoughMotion(lambda a, b: NoScale("there is no odometry"), 0.5, 0.3, warnings.append)
    assert all(choice.wants(view("a", second)) for second in range(3))
    assert warnings == ["keyframes are chosen by time, not by motion: there is no odometry"]


def test_motion_needs_odometry():
    with pytest.raises(ValueError, match=r"odometry\.use is false"):
        NodeConfig(keyframe_choice="motion", odometry={"use": False})


def test_beside_a_cluster_overlap_needs_no_gpu_here():
    config = InterposeConfig.model_validate({"features": {"device": "cuda", "max_image_side": 512}})
    here = on_processor(config)
    assert here.features.device == "cpu"
    assert here == config.model_copy(update={"features": here.features})
    assert here.features.max_image_side == 512
