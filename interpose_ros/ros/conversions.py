"""From ROS messages to views and cameras. Whatever is wrong with a message is said in one sentence."""

from __future__ import annotations

import io

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge, CvBridgeError
from jaxtyping import UInt8
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from interpose_ros.geometry.camera import Camera, DistortionModel
from interpose_ros.views import MAX_IMAGE_PIXELS, KeyframeId

NANOSECONDS = 10**9


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
    if header.stamp.nanosec >= NANOSECONDS:
        raise ValueError(f"header.stamp.nanosec is {header.stamp.nanosec}: it must be below {NANOSECONDS}")
    return KeyframeId(header.frame_id, nanoseconds_from_stamp(header.stamp))


def image_from_message(message: Image | CompressedImage) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an image message. Rows with padding (``step``) are understood.

    Raises:
        ValueError: the data is truncated, no image, too large, or in an encoding that is no colour or grey image.
    """
    if isinstance(message, CompressedImage):
        return rgb_from_file_bytes(bytes(message.data))
    _check_size(message.width, message.height)
    needed = message.step * message.height
    if len(message.data) < needed:
        raise ValueError(
            f"image data is truncated: {message.height} rows with a step of {message.step} are {needed} bytes, "
            f"the message has {len(message.data)}"
        )
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8"))
    except (CvBridgeError, cv2.error, TypeError, ValueError) as error:
        raise ValueError(
            f"image of encoding '{message.encoding}' cannot be read as colour: {error}. "
            "Publish rgb8, bgr8, mono8 or a Bayer encoding"
        ) from error


def rgb_from_file_bytes(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a JPEG or PNG file's content.

    Raises:
        ValueError: it is no image, too large, or damaged.
    """
    try:
        # The header alone tells the size, before anything of that size is allocated.
        with PillowImage.open(io.BytesIO(data)) as file:
            _check_size(*file.size)
            if file.format in ("JPEG", "MPO"):
                # OpenCV 4 fills what is missing of a truncated file with grey; Pillow says so. Their pixels are equal.
                return np.array(file.convert("RGB"))
    except UnidentifiedImageError as error:
        raise ValueError(f"compressed image of {len(data)} bytes cannot be decoded: send JPEG or PNG") from error
    except (OSError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise ValueError(f"compressed image of {len(data)} bytes cannot be decoded: {error}") from error
    # cv2.IMREAD_COLOR would turn the image by its EXIF tag; camera info belongs to the pixels as they are stored.
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ValueError(f"compressed image of {len(data)} bytes is damaged: send JPEG or PNG")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def camera_from_message(message: CameraInfo) -> Camera:
    """Camera of the images that a camera info belongs to, after its region of interest and binning.

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
    camera = Camera(K, int(message.width), int(message.height), coefficients, model)
    roi = message.roi
    if roi.width and roi.height:
        camera = camera.cropped(roi.x_offset, roi.y_offset, roi.width, roi.height)
    binning = max(message.binning_x, 1), max(message.binning_y, 1)
    if binning != (1, 1):
        camera = camera.scaled(camera.width // binning[0], camera.height // binning[1])
    return camera


def _check_size(width: int, height: int) -> None:
    if width == 0 or height == 0:
        raise ValueError(f"image is empty: {width}x{height}")
    if width * height > MAX_IMAGE_PIXELS:
        raise ValueError(f"image of {width}x{height} is too large: at most {MAX_IMAGE_PIXELS // 10**6} megapixels")
