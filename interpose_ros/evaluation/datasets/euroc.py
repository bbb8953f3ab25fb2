"""EuRoC MAV (Burri et al., IJRR 2016): ``<sequence>/mav0/{cam0,state_groundtruth_estimate0}``."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from interpose_ros.evaluation.datasets.photos import DatasetError, Photo, Scene, folders_with, pinhole
from interpose_ros.evaluation.trajectory import Trajectory
from interpose_ros.geometry.se3 import rotation_from_quaternion_xyzw, transform_from_rotation_translation

LOOKED_FOR = "<sequence>/mav0/cam0/data.csv, cam0/sensor.yaml and state_groundtruth_estimate0/data.csv"


def scenes(folder: Path) -> Iterator[Scene]:
    """Every sequence, left camera. The truth is of the body (the IMU); ``T_BS`` of the camera's sensor.yaml carries it over.

    Raises:
        DatasetError: a file is damaged.
    """
    for mav in folders_with(folder, "cam0/sensor.yaml"):
        root = mav.parent
        truth_file = root / "state_groundtruth_estimate0" / "data.csv"
        if not truth_file.is_file():
            continue
        try:
            sensor = yaml.safe_load((root / "cam0/sensor.yaml").read_text(encoding="utf-8"))
            K = pinhole(*(float(value) for value in sensor["intrinsics"]))
            distortion = tuple(float(value) for value in sensor["distortion_coefficients"])
            T_body_camera = np.array(sensor["T_BS"]["data"], dtype=np.float64).reshape(4, 4)
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise DatasetError(f"{root / 'cam0/sensor.yaml'} is damaged: {error!r}") from error
        truth = _truth(truth_file)
        photos = []
        for row in _rows(root / "cam0/data.csv"):
            T_world_body = truth.pose_at(int(row[0]))
            if T_world_body is not None:
                photos.append(Photo(root / "cam0/data" / row[1].strip(), K, distortion, T_world_body @ T_body_camera))
        yield Scene(root.parent.name, photos, is_video=True)


def _truth(path: Path) -> Trajectory:
    stamps, poses = [], []
    for row in _rows(path):
        p, (w, x, y, z) = np.array(row[1:4], dtype=np.float64), (float(value) for value in row[4:8])
        stamps.append(int(row[0]))
        poses.append(transform_from_rotation_translation(rotation_from_quaternion_xyzw(np.array([x, y, z, w])), p))
    if not stamps:
        raise DatasetError(f"{path} has no pose")
    return Trajectory(stamps, np.array(poses))


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.reader(stream):
            if row and not row[0].startswith("#"):
                yield row
