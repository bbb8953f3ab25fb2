"""One parent per keyframe, the best edge, never a cycle."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy")

from interpose_ros.ros.publication import tf_message
from interpose_ros.ros.tf_tree import TfEdge, TfTree
from interpose_ros.views import KeyframeId

A, B, C, D = (KeyframeId("camera", n) for n in range(1, 5))


def edge(parent, child, quality=1.0):
    return TfEdge(parent, child, np.eye(3), np.array([0.0, 0, 1]), quality)


def pairs(tree):
    return {(e.parent, e.child) for e in tree.edges}


def test_best_edge_stays():
    tree = TfTree()
    assert tree.offer(edge(B, C, 1.5))
    assert not tree.offer(edge(A, C, 1.2))
    assert tree.offer(edge(A, C, 1.7))
    assert pairs(tree) == {(A, C)}


def test_no_edge_closes_a_cycle():
    tree = TfTree()
    for parent, child in ((A, B), (B, C), (C, D)):
        assert tree.offer(edge(parent, child))
    assert not tree.offer(edge(D, A, 9.0))
    assert not tree.offer(edge(C, B, 9.0))
    assert not tree.offer(edge(A, A, 9.0))
    assert pairs(tree) == {(A, B), (B, C), (C, D)}


def test_removal_leaves_other_edges():
    tree = TfTree()
    for parent, child in ((A, B), (B, C), (C, D)):
        tree.offer(edge(parent, child))
    tree.remove(B)
    assert pairs(tree) == {(C, D)}
    assert not tree.is_connected(A)
    assert tree.is_connected(C)


def test_message_has_one_stamp():
    message = tf_message([edge(A, B), edge(B, C)], 5_000_000_007, lambda keyframe: f"kf{keyframe.stamp_ns}")
    assert [(t.header.frame_id, t.child_frame_id) for t in message.transforms] == [("kf1", "kf2"), ("kf2", "kf3")]
    assert {(t.header.stamp.sec, t.header.stamp.nanosec) for t in message.transforms} == {(5, 7)}
