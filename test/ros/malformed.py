"""Malformed messages, requests and goals of every type that the node takes, made by hypothesis."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, TransformStamped, Vector3
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from interpose_ros.action import EstimateRelativePose
from interpose_ros.msg import BodyPose, ContactConstraint, KeyframeId
from interpose_ros.srv import GetRelativePose, ListKeyframes, RefineContactPose

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

_STAMPS = st.builds(
    lambda second, nanosecond: Time(sec=second, nanosec=nanosecond), st.integers(-5, 10**6), NANOSECONDS
)
_NAMES = st.builds(lambda frame, stamp: KeyframeId(frame_id=frame, stamp=stamp), FRAMES, _STAMPS)
_TEXTS = st.sampled_from(["", "anny", "nobody", "left_wrist", "hand", "shoulder (back)", "ground", "\x01", "x" * 3000])
_SMALL = st.integers(-128, 127)
_BYTES = st.integers(0, 255)
_POINTS = st.builds(lambda x, y, z: Point(x=x, y=y, z=z), NUMBERS, NUMBERS, NUMBERS)
_VECTORS = st.builds(lambda x, y, z: Vector3(x=x, y=y, z=z), NUMBERS, NUMBERS, NUMBERS)
_BODIES = st.builds(
    BodyPose,
    id=_TEXTS,
    model=_TEXTS,
    has_parameters=st.booleans(),
    root_position=_POINTS,
    rotation_names=st.lists(_TEXTS, max_size=3),
    rotations=st.lists(_VECTORS, max_size=3),
    shape_names=st.lists(_TEXTS, max_size=2),
    shape=st.lists(NUMBERS, max_size=2),
    joint_names=st.lists(_TEXTS, max_size=3),
    joint_positions=st.lists(_POINTS, max_size=3),
    joint_covariances=st.lists(NUMBERS, max_size=9),
    keypoint_names=st.lists(_TEXTS, max_size=2),
    keypoints=st.lists(NUMBERS, max_size=6),
)
_CONSTRAINTS = st.builds(
    ContactConstraint,
    body_a=_SMALL,
    part_a=_TEXTS,
    side_a=_BYTES,
    body_b=_SMALL,
    part_b=_TEXTS,
    side_b=_BYTES,
    weight=NUMBERS,
    origin=_BYTES,
)

REQUESTS: dict[str, tuple[type, st.SearchStrategy]] = {
    "get_relative_pose": (
        GetRelativePose,
        st.builds(lambda a, b: GetRelativePose.Request(keyframe_a=a, keyframe_b=b), _NAMES, _NAMES),
    ),
    "list_keyframes": (ListKeyframes, st.builds(lambda frame: ListKeyframes.Request(frame_id=frame), FRAMES)),
    "refine_contact_pose": (
        RefineContactPose,
        st.builds(
            RefineContactPose.Request,
            image=RAW_IMAGES,
            camera_info=CAMERA_INFOS,
            bodies=st.lists(_BODIES, max_size=3),
            constraints=st.lists(_CONSTRAINTS, max_size=3),
            order_open=st.booleans(),
            hold_orientation=st.booleans(),
            has_floor=st.booleans(),
            floor=st.lists(NUMBERS, min_size=4, max_size=4),
            deadline=NUMBERS,
        ),
    ),
}
"""Service: type and what to ask."""

GOALS = st.builds(
    EstimateRelativePose.Goal,
    keyframe_a=_NAMES,
    keyframe_b=_NAMES,
    image_a=RAW_IMAGES,
    image_b=RAW_IMAGES,
    camera_info_a=CAMERA_INFOS,
    camera_info_b=CAMERA_INFOS,
    max_clips=st.sampled_from([0, 1, 2**32 - 1]),
    max_duration=st.builds(lambda s, n: Duration(sec=s, nanosec=n), st.integers(-5, 5), NANOSECONDS),
    deadline=_STAMPS,
    wait_for_models=st.booleans(),
    publish=st.booleans(),
)
