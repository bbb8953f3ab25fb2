"""One parent per keyframe, the best edge, never a cycle."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from interpose_ros.ros.publication import tf_message
from interpose_ros.ros.tf_tree import Offer, TfEdge, TfTree
from interpose_ros.views import KeyframeId

A, B, C, D = (KeyframeId("camera", n) for n in range(1, 5))


def edge(parent, child, quality=1.0):
    return TfEdge(parent, child, np.eye(3), np.array([0.0, 0, 1]), quality)


def frame(keyframe):
    return f"kf{keyframe.stamp_ns}"


def tree_beside(**foreign):
    """A tree where somebody else sends these edges, from child to parent."""
    return TfTree(frame, foreign.get)


def pairs(tree):
    return {(e.parent, e.child) for e in tree.edges}


def test_best_edge_stays():
    tree = tree_beside()
    assert tree.offer(edge(B, C, 1.5)) is Offer.TAKEN
    assert tree.offer(edge(A, C, 1.2)) is Offer.WORSE
    assert tree.offer(edge(A, C, 1.7)) is Offer.TAKEN
    assert pairs(tree) == {(A, C)}


def test_no_edge_closes_a_cycle():
    tree = tree_beside()
    for parent, child in ((A, B), (B, C), (C, D)):
        assert tree.offer(edge(parent, child)) is Offer.TAKEN
    assert tree.offer(edge(D, A, 9.0)) is Offer.CYCLE
    assert tree.offer(edge(C, B, 9.0)) is Offer.CYCLE
    assert tree.offer(edge(A, A, 9.0)) is Offer.CYCLE
    assert pairs(tree) == {(A, B), (B, C), (C, D)}


def test_removal_leaves_other_edges():
    tree = tree_beside()
    for parent, child in ((A, B), (B, C), (C, D)):
        tree.offer(edge(parent, child))
    tree.remove(B)
    assert pairs(tree) == {(C, D)}
    assert not tree.is_connected(A)
    assert tree.is_connected(C)


def test_a_frame_with_a_foreign_parent_is_no_child_but_may_be_a_parent():
    tree = tree_beside(kf2="map")
    assert tree.offer(edge(A, B)) is Offer.FOREIGN_PARENT
    assert tree.offer(edge(B, C)) is Offer.TAKEN
    assert pairs(tree) == {(B, C)}


def test_no_cycle_through_frames_of_others():
    tree = tree_beside(kf1="robot", robot="kf3")
    assert tree.offer(edge(A, C)) is Offer.CYCLE
    assert tree.offer(edge(A, B)) is Offer.TAKEN
    assert tree.offer(edge(B, C)) is Offer.CYCLE


def test_children_go_by_frame():
    tree = tree_beside()
    for parent, child in ((A, B), (B, C), (C, D)):
        tree.offer(edge(parent, child))
    assert [e.child for e in tree.remove_children(["kf3", "other"])] == [C]
    assert pairs(tree) == {(A, B), (C, D)}
    assert tree.offer(edge(D, B, 9.0)) is Offer.TAKEN


def test_message_has_one_stamp():
    message = tf_message([edge(A, B), edge(B, C)], 5_000_000_007, frame)
    assert [(t.header.frame_id, t.child_frame_id) for t in message.transforms] == [("kf1", "kf2"), ("kf2", "kf3")]
    assert {(t.header.stamp.sec, t.header.stamp.nanosec) for t in message.transforms} == {(5, 7)}
