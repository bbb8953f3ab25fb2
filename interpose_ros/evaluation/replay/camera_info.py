"""The camera of a bag's images, from a message or from a calibration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from interpose_ros.evaluation.replay.bag import ReplayError
from interpose_ros.geometry.camera import Camera, DistortionModel


def camera_from_info(message: Any) -> Camera:
    """Camera of a ``sensor_msgs/CameraInfo`` of ROS 1 or 2, after its region of interest and binning.

    Raises:
        ReplayError: it is not calibrated, or its lens model is unknown.
    """
    K, distortion = (_either(message, name) for name in ("k", "d"))
    camera = _camera(K, int(message.width), int(message.height), distortion, str(message.distortion_model))
    roi = message.roi
    if roi.width and roi.height:
        camera = camera.cropped(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height))
    binning = max(int(message.binning_x), 1), max(int(message.binning_y), 1)
    if binning != (1, 1):
        camera = camera.scaled(camera.width // binning[0], camera.height // binning[1])
    return camera


def camera_from_file(path: Path) -> Camera:
    """Camera of a YAML file as ``camera_calibration`` and ``camera_info_manager`` write it.

    Raises:
        ReplayError: there is no such file, or something is missing in it.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _camera(
            content["camera_matrix"]["data"],
            int(content["image_width"]),
            int(content["image_height"]),
            content.get("distortion_coefficients", {}).get("data", []),
            str(content.get("distortion_model", "plumb_bob")),
        )
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ReplayError(
            f"{path} is no calibration ({error}): it needs image_width, image_height, camera_matrix.data, "
            "distortion_model and distortion_coefficients.data, as camera_calibration writes them"
        ) from error


def _camera(K: Any, width: int, height: int, distortion: Any, model_name: str) -> Camera:
    coefficients = tuple(float(c) for c in distortion)
    model = DistortionModel.NONE
    if any(coefficients):
        name = {"fisheye": "equidistant", "radtan": "plumb_bob"}.get(model_name, model_name)
        if name not in {m.value for m in DistortionModel}:
            raise ReplayError(
                f"lens model '{model_name}' is unknown: one of plumb_bob, rational_polynomial, equidistant"
            )
        model = DistortionModel(name)
    matrix = np.array(K, dtype=np.float64).reshape(3, 3)
    if not np.any(matrix):
        raise ReplayError(
            "the camera info has a K of zeros, so the camera is not calibrated: give --camera-info FILE.yaml"
        )
    try:
        return Camera(matrix, width, height, coefficients if any(coefficients) else (), model)
    except ValueError as error:
        raise ReplayError(f"the calibration cannot be used: {error}") from error


def _either(message: Any, name: str) -> Any:
    """A field that ROS 1 writes with a capital."""
    return getattr(message, name, None) if hasattr(message, name) else getattr(message, name.upper())
