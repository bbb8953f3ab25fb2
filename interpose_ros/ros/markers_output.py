"""``~/keyframe_markers``: keyframes as small pyramids, edges between them coloured by confidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from interpose_ros.ros.tf_tree import TfEdge
from interpose_ros.views import KeyframeId

DEFAULT_SIZE = 0.2
"""Depth of a pyramid where no edge has a length to go by."""

UNCALIBRATED_COLOUR = ColorRGBA(r=0.45, g=0.55, b=0.75, a=1.0)
KEYFRAME_COLOUR = ColorRGBA(r=0.95, g=0.95, b=0.95, a=0.9)


def keyframe_markers(edges: Sequence[TfEdge], frame_name: Callable[[KeyframeId], str]) -> MarkerArray:
    """Every keyframe that has a frame on /tf, in that frame, and every edge, in its parent's.

    Stamps are zero: viewers take the latest transform, and place the markers anew as better edges move them.
    """
    markers = MarkerArray(markers=[Marker(action=Marker.DELETEALL)])
    size = _size(edges)
    names = dict.fromkeys(name for edge in edges for name in (edge.parent, edge.child))
    for number, name in enumerate(names):
        marker = _line_list("keyframes", number, frame_name(name), 0.05 * size, KEYFRAME_COLOUR)
        marker.points = [_point(size * corner) for line in _PYRAMID for corner in line]
        markers.markers.append(marker)
    for number, edge in enumerate(edges):
        colour = confidence_colour(edge.quality)
        marker = _line_list("edges", number, frame_name(edge.parent), 0.1 * size, colour)
        marker.points = [_point(np.zeros(3)), _point(edge.t_parent_child)]
        markers.markers.append(marker)
    return markers


def confidence_colour(quality: float) -> ColorRGBA:
    """Red over yellow to green for confidences from 0.5 to 1, as edges rank them (1 + confidence); blue-grey without."""
    if quality < 1.0:
        return UNCALIBRATED_COLOUR
    share = float(np.clip((quality - 1.5) / 0.5, 0.0, 1.0))
    return ColorRGBA(r=min(1.0, 2 * (1 - share)), g=min(1.0, 2 * share), b=0.1, a=1.0)


def _size(edges: Sequence[TfEdge]) -> float:
    lengths = [length for edge in edges if (length := float(np.linalg.norm(edge.t_parent_child))) > 0]
    return 0.25 * float(np.median(lengths)) if lengths else DEFAULT_SIZE


_CORNERS = [np.array([x, y, 1.0]) for x, y in ((-0.6, -0.45), (0.6, -0.45), (0.6, 0.45), (-0.6, 0.45))]
_PYRAMID = [
    *((np.zeros(3), corner) for corner in _CORNERS),
    *((_CORNERS[k], _CORNERS[(k + 1) % 4]) for k in range(4)),
]


def _line_list(namespace: str, number: int, frame: str, width: float, colour: ColorRGBA) -> Marker:
    marker = Marker(ns=namespace, id=number, type=Marker.LINE_LIST, action=Marker.ADD, frame_locked=True)
    marker.header.frame_id = frame
    marker.pose.orientation.w = 1.0
    marker.scale.x = width
    marker.color = colour
    return marker


def _point(values: np.ndarray) -> Point:
    x, y, z = (float(v) for v in values)
    return Point(x=x, y=y, z=z)
