"""Chains of static frames."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from interpose_ros.geometry.se3 import (
    inverse,
    quaternion_xyzw_from_rotation,
    rotation_exp,
    transform_from_rotation_translation,
)
from interpose_ros.ros.static_transforms import StaticTransforms

T_BASE_MAST = transform_from_rotation_translation(rotation_exp(np.array([0.1, 0.2, 0.3])), np.array([1.0, 2.0, 3.0]))
T_MAST_LEFT = transform_from_rotation_translation(rotation_exp(np.array([0.5, 0.0, 0.0])), np.array([0.0, 1.0, 0.0]))
T_MAST_RIGHT = transform_from_rotation_translation(rotation_exp(np.array([0.0, 0.7, 0.0])), np.array([0.0, -1.0, 0.0]))


def message(*edges):
    stamped = []
    for parent, child, T in edges:
        item = TransformStamped(child_frame_id=child)
        item.header.frame_id = parent
        t, q = item.transform.translation, item.transform.rotation
        t.x, t.y, t.z = (float(x) for x in T[:3, 3])
        q.x, q.y, q.z, q.w = (float(x) for x in quaternion_xyzw_from_rotation(T[:3, :3]))
        stamped.append(item)
    return TFMessage(transforms=stamped)


@pytest.fixture
def rig():
    statics = StaticTransforms()
    assert not statics.add(message(("base", "mast", T_BASE_MAST), ("mast", "left", T_MAST_LEFT)))
    assert not statics.add(message(("/mast", "/right", T_MAST_RIGHT)))
    return statics


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        ("base", "left", T_BASE_MAST @ T_MAST_LEFT),
        ("left", "base", inverse(T_BASE_MAST @ T_MAST_LEFT)),
        ("left", "right", inverse(T_MAST_LEFT) @ T_MAST_RIGHT),
        ("base", "base", np.eye(4)),
    ],
)
def test_chains_up_down_and_across(rig, target, source, expected):
    assert rig.between(target, source) == pytest.approx(expected, abs=1e-9)


def test_frames_that_nothing_connects(rig):
    assert rig.between("base", "unknown") is None
    rig.add(message(("other", "island", T_MAST_LEFT)))
    assert rig.between("base", "island") is None


def test_the_newest_counts(rig):
    rig.add(message(("mast", "left", T_MAST_RIGHT)))
    assert rig.between("mast", "left") == pytest.approx(T_MAST_RIGHT, abs=1e-9)


def test_a_loop_ends(rig):
    rig.add(message(("left", "base", T_MAST_LEFT)))
    assert rig.between("mast", "left") is not None
    assert rig.between("mast", "nowhere") is None


def test_what_is_no_pose_is_named_and_left_out(rig):
    spoiled = message(("mast", "left", T_MAST_RIGHT), ("mast", "right", T_MAST_LEFT))
    spoiled.transforms[0].transform.rotation.w = spoiled.transforms[0].transform.rotation.y = 0.0
    spoiled.transforms[1].transform.translation.x = float("inf")
    problems = rig.add(spoiled)
    assert [("'left'" in text, "'right'" in text) for text in problems] == [(True, False), (False, True)]
    assert rig.between("mast", "left") == pytest.approx(T_MAST_LEFT, abs=1e-9)
