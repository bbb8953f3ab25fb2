"""RGB pixels from what image messages carry: raw pixels of every usual encoding, JPEG and PNG files. Sizes are checked
before anything of that size is allocated."""

from __future__ import annotations

import array
import io

import cv2
import numpy as np
from cv_bridge import CvBridge, CvBridgeError
from jaxtyping import UInt8, UInt16
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError
from sensor_msgs.msg import CompressedImage, Image

from interpose_ros.views import MAX_IMAGE_PIXELS

GENERIC = {"8UC1": "mono8", "8UC3": "bgr8", "8UC4": "bgra8", "16UC3": "bgr16", "16UC4": "bgra16"}
"""OpenCV's names, as some drivers send them, say nothing of colours; OpenCV's own order is meant. 16UC1 is left out: it is
depth (REP 118)."""

WIDE_AS_8_BIT = {
    "mono16": "mono16",
    **{f"bayer_{pattern}16": "bgr16" for pattern in ("rggb", "bggr", "gbrg", "grbg")},
    "rgb16": "bgr16",
    "bgr16": "bgr16",
    "rgba16": "bgr16",
    "bgra16": "bgr16",
}
"""What 16-bit encodings are read as, before their unused high bits are taken out."""

PIXEL_BYTES = {
    **dict.fromkeys(("mono8", "8UC1"), 1),
    **dict.fromkeys(("rgb8", "bgr8", "8UC3"), 3),
    **dict.fromkeys(("rgba8", "bgra8", "8UC4"), 4),
    "mono16": 2,
    **dict.fromkeys(("rgb16", "bgr16", "16UC3"), 6),
    **dict.fromkeys(("rgba16", "bgra16", "16UC4"), 8),
    **{f"bayer_{pattern}{bits}": bits // 8 for pattern in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)},
    **dict.fromkeys(("yuv422", "uyvy", "yuv422_yuy2", "yuyv"), 2),
}
"""Bytes of a pixel where every row has all of its own; those of NV12 and NV21 are spread over two planes."""

BAYER_TO_RGB = {
    "bayer_rggb": cv2.COLOR_BayerRGGB2RGB,
    "bayer_bggr": cv2.COLOR_BayerBGGR2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGBRG2RGB,
    "bayer_grbg": cv2.COLOR_BayerGRBG2RGB,
}

MAX_TOLD = 40
"""Letters of a message's text that are repeated in an error."""

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


def rgb_from_raw(message: Image) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an image message. Rows with padding (``step``) are understood.

    Images of 16 bits are reduced to 8 from the highest bit that is in use on, or those of a 12-bit camera would be black.

    Raises:
        ValueError: the data is truncated, too large, or in an encoding that is no colour or grey image.
    """
    check_size(message.width, message.height)
    needed = message.step * message.height
    if len(message.data) < needed:
        raise ValueError(
            f"image data is truncated: {message.height} rows with a step of {message.step} are {needed} bytes, "
            f"the message has {len(message.data)}"
        )
    encoding = message.encoding
    message = _without_padding(message)
    try:
        if encoding in WIDE_AS_8_BIT:
            wide = CvBridge().imgmsg_to_cv2(message, desired_encoding=WIDE_AS_8_BIT[encoding])
            return _rgb_from_bgr(_without_unused_bits(wide))
        if encoding in GENERIC:
            pixels = np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, desired_encoding="passthrough"))
            return _rgb_from_bgr(_without_unused_bits(pixels) if pixels.dtype == np.uint16 else pixels)
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, desired_encoding="rgb8"))
    except (CvBridgeError, cv2.error, TypeError, ValueError, KeyError) as error:
        told = str(error)[: 4 * MAX_TOLD]
        raise ValueError(
            f"image of encoding '{encoding[:MAX_TOLD]}' cannot be read as colour: {told}. "
            "Publish rgb8, bgr8, mono8 or a Bayer encoding"
        ) from error


def rgb_from_file(message: CompressedImage) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a compressed image message.

    A Bayer mosaic that was compressed as it is (image_transport does that with PNG) is told by the message's format.

    Raises:
        ValueError: it is no image, too large, or damaged.
    """
    pattern = message.format.split(";")[0].strip().rstrip("0123456789")
    data = bytes(message.data)
    if pattern in BAYER_TO_RGB and "compressed bgr" not in message.format:
        mosaic = _decoded(data, cv2.IMREAD_UNCHANGED)
        if mosaic.ndim == 2:
            return cv2.cvtColor(_without_unused_bits(mosaic), BAYER_TO_RGB[pattern])
    return rgb_from_file_bytes(data)


def rgb_from_file_bytes(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a JPEG or PNG file's content.

    Raises:
        ValueError: it is no image, too large, or damaged.
    """
    if data.startswith(_JPEG_START) and not data.rstrip(b"\0").endswith(_JPEG_END):
        size_of_file(data)
        try:
            # OpenCV 4 fills what is missing of a truncated file with grey; Pillow says so, and takes four times as long.
            with PillowImage.open(io.BytesIO(data)) as file:
                return np.array(file.convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise ValueError(f"compressed image of {len(data)} bytes cannot be decoded: {error}") from error
    # Camera info belongs to the pixels as they are stored, so nothing is turned by EXIF tags. 16 bits stay 16 for now.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    return _rgb_from_bgr(_without_unused_bits(_decoded(data, flags)))


def size_of_file(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG or PNG file's content, from its header alone.

    Raises:
        ValueError: it is no image, or too large.
    """
    try:
        with PillowImage.open(io.BytesIO(data)) as file:
            check_size(*file.size)
            width, height = file.size
            return width, height
    except UnidentifiedImageError as error:
        raise ValueError(f"compressed image of {len(data)} bytes cannot be decoded: send JPEG or PNG") from error
    except (OSError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise ValueError(f"compressed image of {len(data)} bytes cannot be decoded: {error}") from error


def check_size(width: int, height: int) -> None:
    """Bounds of an image, before it is allocated.

    Raises:
        ValueError: it is empty or too large.
    """
    if width == 0 or height == 0:
        raise ValueError(f"image is empty: {width}x{height}")
    if width * height > MAX_IMAGE_PIXELS:
        raise ValueError(f"image of {width}x{height} is too large: at most {MAX_IMAGE_PIXELS // 10**6} megapixels")


def _without_padding(message: Image) -> Image:
    """The same with rows that follow each other: cv_bridge skews those whose padding is no whole number of pixels."""
    row = message.width * PIXEL_BYTES.get(message.encoding, 0)
    if row == 0 or message.step <= row:
        return message
    rows = np.frombuffer(message.data, np.uint8)[: message.height * message.step].reshape(message.height, message.step)
    packed = Image(
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        is_bigendian=message.is_bigendian,
        step=row,
    )
    packed.data = array.array("B", rows[:, :row].tobytes())  # of this type it is taken as it is
    return packed


def _decoded(data: bytes, flags: int) -> UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"]:
    size_of_file(data)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError(f"compressed image of {len(data)} bytes is damaged: send JPEG or PNG")
    return pixels


def _without_unused_bits(
    pixels: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w *c"],
) -> UInt8[np.ndarray, "h w *c"]:
    """The eight bits from the highest one down that any pixel uses."""
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels >> max(0, int(pixels.max()).bit_length() - 8)).astype(np.uint8)


def _rgb_from_bgr(pixels: UInt8[np.ndarray, "h w *c"]) -> UInt8[np.ndarray, "h w 3"]:
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
