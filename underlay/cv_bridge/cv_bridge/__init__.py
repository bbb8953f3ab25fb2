"""Stand-in for cv_bridge: images between sensor_msgs messages and NumPy, over rosbags-image.

Same names, arguments and results as the original, for what interpose_ros calls. rosbags-image knows the encodings and
the colour conversions; rows with padding, byte order and change of depth are done here the way the original does them.
"""

import re
import sys

import cv2
import numpy as np
from rosbags.image import ImageError
from rosbags.image.image import ENCODINGMAP, convert_color, to_cvtype
from sensor_msgs.msg import CompressedImage, Image

__all__ = ["CvBridge", "CvBridgeError"]

CV_TYPE = {
    "uint8": "8U",
    "int8": "8S",
    "uint16": "16U",
    "int16": "16S",
    "int32": "32S",
    "float32": "32F",
    "float64": "64F",
}


class CvBridgeError(TypeError):
    """A conversion is not possible; the message says why."""


class CvBridge:
    """Converts between images in messages and NumPy arrays as OpenCV uses them."""

    def imgmsg_to_cv2(self, img_msg, desired_encoding="passthrough"):
        """Convert a sensor_msgs/Image to an array (height, width) or (height, width, channels), in native byte order.

        Raises CvBridgeError where the encoding is unknown, the data does not fit the size, or no conversion exists.
        """
        _, _, type_name, channels = _type_of(img_msg.encoding)
        dtype = np.dtype(type_name).newbyteorder(">" if img_msg.is_bigendian else "<")
        row = img_msg.width * channels * dtype.itemsize
        if img_msg.step < row:
            raise CvBridgeError(
                f"step is {img_msg.step}, a row of {img_msg.width} {img_msg.encoding} pixels has {row} bytes"
            )
        data = np.frombuffer(img_msg.data, dtype=np.uint8)
        if data.size < img_msg.height * img_msg.step:
            raise CvBridgeError(f"data has {data.size} bytes, {img_msg.height} rows of {img_msg.step} need more")
        rows = data[: img_msg.height * img_msg.step].reshape(img_msg.height, img_msg.step)
        pixels = np.ascontiguousarray(rows[:, :row]).view(dtype).astype(type_name)
        if channels > 1:
            pixels = pixels.reshape(img_msg.height, img_msg.width, channels)
        return _convert(pixels, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(self, cvim, encoding="passthrough", header=None):
        """Convert an array to a sensor_msgs/Image. Raises CvBridgeError where encoding and the array's type differ."""
        if not isinstance(cvim, np.ndarray):
            raise TypeError("Your input type is not a numpy array")
        channels = 1 if cvim.ndim < 3 else cvim.shape[2]
        if encoding != "passthrough":
            _, _, type_name, expected = _type_of(encoding)
            if (cvim.dtype.name, channels) != (type_name, expected):
                raise CvBridgeError(
                    f"encoding specified as {encoding}, but the image has {channels} channels of {cvim.dtype.name}"
                )
        message = Image()
        if header is not None:
            message.header = header
        message.height, message.width = cvim.shape[:2]
        message.encoding = f"{CV_TYPE[cvim.dtype.name]}C{channels}" if encoding == "passthrough" else encoding
        native = "<" if sys.byteorder == "little" else ">"
        order = native if cvim.dtype.byteorder in "=|" else cvim.dtype.byteorder
        message.is_bigendian = int(order == ">")
        message.data.frombytes(cvim.tobytes())
        message.step = len(message.data) // message.height
        return message

    def compressed_imgmsg_to_cv2(self, cmprs_img_msg, desired_encoding="passthrough"):
        """Decode a sensor_msgs/CompressedImage.

        With "passthrough" and "bgr8" the result is what OpenCV makes of the file: None for data that is no image, two
        dimensions for a grey one. Other encodings take a colour image and raise CvBridgeError for anything else.
        """
        image = cv2.imdecode(np.frombuffer(cmprs_img_msg.data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
        if desired_encoding in ("passthrough", "bgr8"):
            return image
        if image is None:
            raise CvBridgeError("the data is not an image that OpenCV can decode")
        return _convert(image, "bgr8", desired_encoding)

    def cv2_to_compressed_imgmsg(self, cvim, dst_format="jpg"):
        """Encode an array as a sensor_msgs/CompressedImage, format named like a file's extension."""
        if not isinstance(cvim, np.ndarray):
            raise TypeError("Your input type is not a numpy array")
        message = CompressedImage()
        message.format = dst_format
        message.data.frombytes(cv2.imencode(f".{dst_format}", cvim)[1].tobytes())
        return message


def _type_of(encoding):
    """Depth in bits, colour format, dtype's name and channels of an encoding."""
    try:
        return to_cvtype(encoding)
    except ImageError as error:
        raise CvBridgeError(f"Unrecognized image encoding [{encoding}]") from error


def _convert(image, source, target):
    """The image in another encoding. Only named colours can become others; their depth scales with the full range."""
    if target in ("passthrough", source):
        return image
    depth, _, _, channels = _type_of(source)
    target_depth, _, target_type, target_channels = _type_of(target)
    try:
        if source not in ENCODINGMAP and target in ENCODINGMAP:
            raise CvBridgeError(
                f"[{source}] is not a color format, but [{target}] is. The conversion does not make sense"
            )
        if target not in ENCODINGMAP:
            if channels != target_channels:
                raise CvBridgeError(f"[{source}] and [{target}] do not have the same number of channels")
            return image.astype(target_type)
        image = convert_color(image, source, re.sub(r"\d+$", str(depth), target))
    except (ImageError, cv2.error) as error:
        raise CvBridgeError(str(error)) from error
    if depth != target_depth:
        factor = (2**target_depth - 1) / (2**depth - 1)
        image = np.rint(image * factor).astype(target_type)
    return image
