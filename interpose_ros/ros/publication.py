"""Which answers become edges on /tf, and the message that carries the edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage

from interpose_ros.answer import PairAnswer, ScaleSource
from interpose_ros.geometry.se3 import quaternion_xyzw_from_rotation
from interpose_ros.ros.conversions import stamp_from_nanoseconds
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.relative_pose import rotation_and_direction_a_b
from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.views import KeyframeId


def edge_of_answer(answer: PairAnswer, config: NodeConfig) -> TfEdge | None:
    """The edge from A to B that an answer is worth under the node's settings; None for none.

    Calibrated edges rank above uncalibrated ones: quality is 1 + confidence, or a share below 1 that grows with inliers.
    """
    estimate = answer.estimate
    if estimate is None or not config.publish_tf:
        return None
    confidence = answer.confidence.rotation_5deg if answer.confidence is not None else math.nan
    if math.isnan(confidence):
        if not config.uncalibrated_tf or answer.inliers < config.uncalibrated_min_inliers:
            return None
        quality = answer.inliers / (answer.inliers + 100.0)
    elif confidence < config.min_confidence:
        return None
    else:
        quality = 1.0 + confidence
    R_a_b, direction_a_b = rotation_and_direction_a_b(estimate.R_b_a, estimate.direction_b_a)
    scale = answer.scale
    if scale is not None and scale.source is not ScaleSource.NONE and direction_a_b is not None:
        t_a_b = scale.metres * direction_a_b
    elif config.unscaled_tf == "unit":
        t_a_b = np.zeros(3) if direction_a_b is None else direction_a_b
    else:
        return None
    return TfEdge(answer.keyframe_a, answer.keyframe_b, R_a_b, t_a_b, quality)


def tf_message(edges: Sequence[TfEdge], stamp_ns: int, frame_name: Callable[[KeyframeId], str]) -> TFMessage:
    """All edges with one stamp: tf2 chains edges that it knows at a common time only."""
    return TFMessage(transforms=[_transform(edge, stamp_ns, frame_name) for edge in edges])


def _transform(edge: TfEdge, stamp_ns: int, frame_name: Callable[[KeyframeId], str]) -> TransformStamped:
    message = TransformStamped()
    message.header.stamp = stamp_from_nanoseconds(stamp_ns)
    message.header.frame_id = frame_name(edge.parent)
    message.child_frame_id = frame_name(edge.child)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = (float(x) for x in edge.t_parent_child)
    rotation.x, rotation.y, rotation.z, rotation.w = (
        float(q) for q in quaternion_xyzw_from_rotation(edge.R_parent_child)
    )
    return message
