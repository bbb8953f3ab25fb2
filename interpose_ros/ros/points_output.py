"""``~/points``: the points behind an answer, as a coloured cloud in frame A."""

from __future__ import annotations

import math

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from sensor_msgs_py.point_cloud2 import create_cloud
from std_msgs.msg import Header

from interpose_ros.answer import PairAnswer, ScaleSource
from interpose_ros.geometry.cloud import Cloud, colours_at, triangulated
from interpose_ros.views import View

MIN_ANGLE = math.radians(0.5)
"""Rays that meet at less put a point anywhere along them."""

MAX_DISTANCE = 100.0
"""Farther points, in baselines, are left out: their depth is noise."""

_FIELDS = [
    PointField(name=name, offset=offset, datatype=PointField.FLOAT32, count=1)
    for name, offset in (("x", 0), ("y", 4), ("z", 8), ("rgb", 12))
]


def cloud_of_answer(answer: PairAnswer, view_a: View, view_b: View) -> Cloud | None:
    """The estimator's own points where it has any, otherwise the keyframes' verified matches, triangulated.

    None where there is no answer, or no translation direction and so no depth.
    """
    estimate = answer.estimate
    if estimate is None or estimate.direction_b_a is None:
        return None
    if estimate.cloud is not None:
        return estimate.cloud
    if answer.matched_pixels is None or len(answer.matched_pixels[0]) == 0:
        return None
    pixels_a, pixels_b = answer.matched_pixels
    points, usable = triangulated(
        pixels_a, pixels_b, view_a.camera, view_b.camera, estimate.R_b_a, estimate.direction_b_a, MIN_ANGLE
    )
    usable &= np.linalg.norm(points, axis=1) <= MAX_DISTANCE
    return Cloud(points[usable], colours_at(view_a.image, pixels_a[usable]))


def metres_per_unit(answer: PairAnswer, unit_is_allowed: bool) -> float | None:
    """Factor from a cloud's unit to what is published: metres, or 1 where unscaled output is allowed; None for neither."""
    scale = answer.scale
    if scale is not None and scale.source is not ScaleSource.NONE:
        return scale.metres
    return 1.0 if unit_is_allowed else None


def cloud_message(cloud: Cloud, factor: float, header: Header) -> PointCloud2:
    """x, y, z and rgb as 32-bit floats, as RViz, Foxglove and PCL read them."""
    colours = cloud.colours.astype(np.uint32)
    packed = colours[:, 0] << 16 | colours[:, 1] << 8 | colours[:, 2]
    values = np.empty((len(cloud), 4), np.float32)
    values[:, :3] = factor * cloud.points_a
    values[:, 3] = packed.astype(np.uint32).view(np.float32)
    message = create_cloud(header, _FIELDS, values)
    message.is_dense = True
    return message
