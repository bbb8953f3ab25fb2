"""Malformed messages of every type that the node takes, made by hypothesis."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from geometry_msgs.msg import TransformStamped
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, -1.0, math.nan, math.inf, 1e308]))
SIZES = st.one_of(st.integers(0, 64), st.sampled_from([2**16, 2**31, 2**32 - 1]))
FRAMES = st.sampled_from(["", "soak", "fuzzed", "/", "x" * 300, "ü", "a b", "fuzzed/../x"])
NANOSECONDS = st.sampled_from([0, 1, 999_999_999, 1_000_000_000, 2**32 - 1])
ENCODINGS = st.sampled_from(
    [
        "rgb8",
        "bgr8",
        "mono8",
        "mono16",
        "bayer_rggb8",
        "bayer_gbrg16",
        "yuv422",
        "nv21",
        "16UC1",
        "32FC1",
        "64FC4",
        "8UC3",
    ]
)
NO_ENCODINGS = st.sampled_from(["", " ", "\x01", "é" * 200, "8UC99999999", "rgb9"])
FORMATS = st.sampled_from(["", "jpeg", "png", "bayer_rggb8; png compressed ", "tiff", "\x01"])
WHOLE_FILES = [
    cv2.imencode(kind, np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))[1].tobytes()
    for kind in (".png", ".jpg", ".webp")
]


def _header(message: Any, frame: str, second: int, nanosecond: int) -> Any:
    message.header.frame_id = frame
    message.header.stamp.sec, message.header.stamp.nanosec = second, nanosecond
    return message


def _with_header(messages: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(_header, messages, FRAMES, st.integers(0, 10**6), NANOSECONDS)


def _camera_info(k: list, p: list, d: list, model: str, sizes: list) -> CameraInfo:
    message = CameraInfo(k=k, p=p, d=d, distortion_model=model, width=sizes[0], height=sizes[1])
    message.binning_x, message.binning_y = sizes[2], sizes[3]
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = sizes[4:]
    return message


def _changed_file(file: bytes, changes: list[tuple[int, int]], length: int, form: str) -> CompressedImage:
    data = bytearray(file)
    for place, value in changes:
        data[place % len(data)] = value
    return CompressedImage(format=form, data=bytes(data[:length]))


def _odometry(numbers: list[float], covariance: float, child: str) -> Odometry:
    message = Odometry(child_frame_id=child)
    p, q = message.pose.pose.position, message.pose.pose.orientation
    p.x, p.y, p.z, q.x, q.y, q.z, q.w = numbers
    message.pose.covariance = [covariance] * 36
    return message


def _transforms(numbers: list[list[float]], frames: list[str]) -> TFMessage:
    message = TFMessage()
    for values, parent, child in zip(numbers, frames, frames[::-1], strict=False):
        stamped = TransformStamped(child_frame_id=child)
        stamped.header.frame_id = parent
        t, q = stamped.transform.translation, stamped.transform.rotation
        t.x, t.y, t.z, q.x, q.y, q.z, q.w = values
        message.transforms.append(stamped)
    return message


_SEVEN = st.lists(NUMBERS, min_size=7, max_size=7)

RAW_IMAGES = _with_header(
    st.builds(
        lambda e, w, h, s, b, d: Image(encoding=e, width=w, height=h, step=s, is_bigendian=b, data=d),
        st.one_of(ENCODINGS, NO_ENCODINGS),
        SIZES,
        SIZES,
        SIZES,
        st.integers(0, 255),
        st.binary(max_size=2000),
    )
)
FILES = _with_header(
    st.builds(
        _changed_file,
        st.sampled_from(WHOLE_FILES),
        st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), max_size=8),
        st.integers(0, 9000),
        FORMATS,
    )
)
CAMERA_INFOS = _with_header(
    st.builds(
        _camera_info,
        st.lists(NUMBERS, min_size=9, max_size=9),
        st.lists(NUMBERS, min_size=12, max_size=12),
        st.lists(NUMBERS, max_size=15),
        st.sampled_from(["plumb_bob", "equidistant", "rational_polynomial", "", "mystery"]),
        st.lists(SIZES, min_size=8, max_size=8),
    )
)
ODOMETRY = _with_header(st.builds(_odometry, _SEVEN, NUMBERS, st.sampled_from(["", "base_link", "fuzzed"])))
TRANSFORMS = st.builds(_transforms, st.lists(_SEVEN, max_size=4), st.lists(FRAMES, max_size=4))

KINDS: dict[str, tuple[type, st.SearchStrategy]] = {
    "keyframe/image": (Image, RAW_IMAGES),
    "image": (Image, RAW_IMAGES),
    "depth": (Image, RAW_IMAGES),
    "keyframe/camera_info": (CameraInfo, CAMERA_INFOS),
    "camera_info": (CameraInfo, CAMERA_INFOS),
    "odom": (Odometry, ODOMETRY),
    "/tf": (TFMessage, TRANSFORMS),
    "/tf_static": (TFMessage, TRANSFORMS),
}
"""Topic: type and what to send. With compressed transport the images are ``FILES`` on the name + /compressed."""
