"""``~/path`` and ``~/pose_with_covariance``: what is known, for programs that have no other message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from jaxtyping import Float
from nav_msgs.msg import Path

from interpose_ros.geometry.se3 import quaternion_xyzw_from_rotation
from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import stamp_from_nanoseconds
from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.views import KeyframeId


def keyframe_path(edges: Sequence[TfEdge], frame_name: Callable[[KeyframeId], str]) -> Path:
    """The keyframes of the tree that has the newest one, by their stamps, in the frame of its root; empty without edges.

    The path's own stamp is zero: a better edge moves all of it.
    """
    edge_of = {edge.child: edge for edge in edges}

    def placed(name: KeyframeId) -> tuple[KeyframeId, Float[np.ndarray, "4 4"]]:
        T_root_keyframe = np.eye(4)
        while (edge := edge_of.get(name)) is not None:
            T_parent_child = np.eye(4)
            T_parent_child[:3, :3], T_parent_child[:3, 3] = edge.R_parent_child, edge.t_parent_child
            T_root_keyframe, name = T_parent_child @ T_root_keyframe, edge.parent
        return name, T_root_keyframe

    found = {name: placed(name) for edge in edges for name in (edge.parent, edge.child)}
    path = Path()
    if not found:
        return path
    names = sorted(found, key=lambda name: (name.stamp_ns, name.frame_id))
    root = found[names[-1]][0]
    path.header.frame_id = frame_name(root)
    path.poses = [
        _pose(path.header.frame_id, name.stamp_ns, found[name][1]) for name in names if found[name][0] == root
    ]
    return path


def pose_with_covariance(message: RelativePose) -> PoseWithCovarianceStamped | None:
    """Camera B in the frame of keyframe A on /tf, at B's stamp; None unless it is an edge there, and in metres."""
    if not message.published_on_tf or message.scale_source == RelativePose.SCALE_NONE:
        return None
    stamped = PoseWithCovarianceStamped(pose=message.pose)
    stamped.header.frame_id = message.parent_frame_id
    stamped.header.stamp = message.keyframe_b.stamp
    return stamped


def _pose(frame: str, stamp_ns: int, T_root_keyframe: Float[np.ndarray, "4 4"]) -> PoseStamped:
    message = PoseStamped()
    message.header.frame_id = frame
    message.header.stamp = stamp_from_nanoseconds(stamp_ns)
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = T_root_keyframe[:3, 3].tolist()
    q = quaternion_xyzw_from_rotation(T_root_keyframe[:3, :3])
    orientation.x, orientation.y, orientation.z, orientation.w = (float(part) for part in q)
    return message
