"""From ROS messages to views and cameras. Whatever is wrong with a message is said in one sentence."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from jaxtyping import UInt8
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from interpose_ros.geometry.camera import Camera, DistortionModel
from interpose_ros.ros.image_pixels import rgb_from_file, rgb_from_raw
from interpose_ros.views import KeyframeId

NANOSECONDS = 10**9

MAX_FRAME_LENGTH = 256
"""Names are kept long after their images; what one message makes the node remember is bounded."""


def stamp_from_nanoseconds(stamp_ns: int) -> Time:
    """A message's stamp from nanoseconds."""
    return Time(sec=stamp_ns // NANOSECONDS, nanosec=stamp_ns % NANOSECONDS)


def nanoseconds_from_stamp(stamp: Time) -> int:
    """Nanoseconds of a message's stamp."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def keyframe_id_from_header(header: Header) -> KeyframeId:
    """The name of an image.

    Raises:
        ValueError: the header has no frame, or a stamp that is none.
    """
    if not header.frame_id:
        raise ValueError("header.frame_id is empty: it must name the camera's optical frame")
    if len(header.frame_id) > MAX_FRAME_LENGTH:
        raise ValueError(f"header.frame_id has {len(header.frame_id)} letters: at most {MAX_FRAME_LENGTH}")
    if header.stamp.nanosec >= NANOSECONDS:
        raise ValueError(f"header.stamp.nanosec is {header.stamp.nanosec}: it must be below {NANOSECONDS}")
    return KeyframeId(header.frame_id, nanoseconds_from_stamp(header.stamp))


def image_from_message(message: Image | CompressedImage) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an image message: any encoding that ``image_pixels`` knows.

    Raises:
        ValueError: the data is truncated, no image, too large, or in an encoding that is no colour or grey image.
    """
    return rgb_from_file(message) if isinstance(message, CompressedImage) else rgb_from_raw(message)


def camera_from_message(message: CameraInfo) -> Camera:
    """Camera of the raw images that a camera info belongs to, after its region of interest and binning.

    Raises:
        ValueError: K is zero or no intrinsics, the size is missing, or the lens model is unknown.
    """
    coefficients = tuple(float(c) for c in message.d)
    model = DistortionModel.NONE
    if any(coefficients):
        name = {"fisheye": "equidistant"}.get(message.distortion_model, message.distortion_model)
        known = [m.value for m in DistortionModel if m is not DistortionModel.NONE]
        if name not in known:
            raise ValueError(f"distortion model '{message.distortion_model}' is unknown: one of {', '.join(known)}")
        model = DistortionModel(name)
    else:
        coefficients = ()
    K = np.array(message.k, dtype=np.float64).reshape(3, 3)
    if not np.any(K):
        raise ValueError("K is all zeros: the camera is not calibrated (see camera_calibration)")
    return _after_cropping(Camera(K, int(message.width), int(message.height), coefficients, model), message)


def rectified_camera_from_message(message: CameraInfo) -> Camera:
    """Camera of the rectified images that a camera info belongs to: P without distortion.

    Raises:
        ValueError: P is zero or no projection, or the size is missing.
    """
    P = np.array(message.p, dtype=np.float64).reshape(3, 4)
    if not np.any(P):
        raise ValueError("P is all zeros: the camera info does not describe rectified images (see image_proc)")
    return _after_cropping(Camera(P[:, :3], int(message.width), int(message.height)), message)


def _after_cropping(camera: Camera, message: CameraInfo) -> Camera:
    roi = message.roi
    if roi.width and roi.height:
        camera = camera.cropped(roi.x_offset, roi.y_offset, roi.width, roi.height)
    binning = max(message.binning_x, 1), max(message.binning_y, 1)
    if binning != (1, 1):
        camera = camera.scaled(camera.width // binning[0], camera.height // binning[1])
    return camera
