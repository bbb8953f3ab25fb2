"""Images of a bag as files: compressed ones as they are, raw ones without loss."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from rosbags.image import ImageError, image_to_cvimage
from rosbags.image.image import to_cvtype

from interpose_ros.evaluation.replay.bag import Bag, BagTopic, ReplayError, is_of
from interpose_ros.geometry.camera import Camera, DistortionModel


def image_stamps(bag: Bag, topic: BagTopic, progress: Callable[[], Any] = lambda: None) -> tuple[list[int], str]:
    """Stamps in rising order, and the frame, of the images of a topic; no pixel is read.

    Raises:
        ReplayError: there is no image, they have several frames, or no stamps.
    """
    stamps, frames = set(), set()
    for message in bag.messages([topic.name]):
        stamp, frame = bag.header(message)
        stamps.add(stamp)
        frames.add(frame.lstrip("/"))
        progress()
    if not stamps:
        raise ReplayError(f"{bag.path} has no image on {topic.name}")
    if len(frames) > 1:
        raise ReplayError(
            f"{topic.name} has images of several cameras ({', '.join(sorted(frames))}): record one a topic"
        )
    if stamps == {0}:
        raise ReplayError(
            f"the images on {topic.name} have no stamps in their headers, so nothing can be said about when"
        )
    return sorted(stamps), frames.pop()


def write_images(
    bag: Bag,
    topic: BagTopic,
    wanted: Collection[int],
    camera: Camera,
    folder: Path,
    progress: Callable[[], Any] = lambda: None,
) -> dict[int, Path]:
    """Write the images of some stamps, one at a time.

    Lens models that a pair file cannot hold (equidistant) are taken out of the pixels.

    Returns:
        File by stamp.

    Raises:
        ReplayError: an image is damaged, in an unknown encoding, or not of the size that the camera is for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left, files = set(wanted), {}
    for message in bag.messages([topic.name]) if left else ():
        stamp, _ = bag.header(message)
        if stamp not in left:
            continue
        left.discard(stamp)
        content = bag.content(message)
        if is_of(topic, "sensor_msgs/CompressedImage"):
            data = bytes(content.data)
            suffix, pixels = _suffix(bag, topic, data), _decoded(bag, topic, data)
        else:
            suffix, data, pixels = ".png", b"", _from_raw(bag, topic, content)
        height, width = pixels.shape[:2]
        if (width, height) != (camera.width, camera.height):
            raise ReplayError(
                f"the images on {topic.name} are {width}x{height} and the camera info is for "
                f"{camera.width}x{camera.height}: choose the camera info of these images with --camera-info"
            )
        if camera.distortion_model is DistortionModel.EQUIDISTANT:
            suffix, data, pixels = ".png", b"", camera.undistort(pixels)
        file = folder / f"{stamp}{suffix}"
        file.write_bytes(data or _as_png(pixels))
        files[stamp] = file
        progress()
        if not left:
            break
    return files


def file_suffix(bag: Bag, topic: BagTopic, camera: Camera) -> str:
    """Suffix of the files that ``write_images`` writes, from the first image.

    Raises:
        ReplayError: there is no image, or it is neither JPEG nor PNG.
    """
    if not is_of(topic, "sensor_msgs/CompressedImage") or camera.distortion_model is DistortionModel.EQUIDISTANT:
        return ".png"
    first = next(iter(bag.messages([topic.name])), None)
    if first is None:
        raise ReplayError(f"{bag.path} has no image on {topic.name}")
    return _suffix(bag, topic, bytes(bag.content(first).data))


def camera_of_files(camera: Camera) -> Camera:
    """The camera of the files that ``write_images`` writes."""
    return camera.without_distortion() if camera.distortion_model is DistortionModel.EQUIDISTANT else camera


def _suffix(bag: Bag, topic: BagTopic, data: bytes) -> str:
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    if data.startswith(b"\x89PNG"):
        return ".png"
    raise ReplayError(f"{topic.name} of {bag.path} has compressed images that are neither JPEG nor PNG")


def _decoded(bag: Bag, topic: BagTopic, data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ReplayError(f"{topic.name} of {bag.path} has a damaged image")
    return pixels


def _from_raw(bag: Bag, topic: BagTopic, content: Any) -> UInt8[np.ndarray, "h w 3"]:
    try:
        return np.ascontiguousarray(image_to_cvimage(_without_padding(content), "bgr8"))
    except (ImageError, cv2.error, TypeError, ValueError, KeyError) as error:
        raise ReplayError(
            f"{topic.name} of {bag.path} has an image of encoding '{content.encoding}' that cannot be read as "
            f"colour: {error}"
        ) from error


def _without_padding(content: Any) -> Any:
    """The image with rows that follow each other directly, which the conversion takes for granted.

    Raises:
        ValueError: there are fewer bytes than the size and ``step`` say.
    """
    _, _, kind, channels = to_cvtype(content.encoding)
    row = int(content.width) * channels * np.dtype(kind).itemsize
    if content.step < row or len(content.data) < content.step * content.height:
        raise ValueError(
            f"{len(content.data)} bytes are too few for {content.height} rows with a step of {content.step}"
        )
    rows = np.asarray(content.data)[: content.step * content.height].reshape(content.height, content.step)
    return replace(content, step=row, data=np.ascontiguousarray(rows[:, :row]).ravel())


def _as_png(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    _, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return data.tobytes()
