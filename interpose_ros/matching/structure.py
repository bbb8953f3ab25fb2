"""Poses of several views with metric-free structure, by incremental structure from motion (pycolmap).

On the desk sequence its rotations came out about twice as accurate as averaged two-view rotations over the same links. A
pose graph of two-view translations has not been measured against it.
"""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from interpose_ros.geometry.cloud import colours_at
from interpose_ros.geometry.se3 import skew
from interpose_ros.matching.features import LocalFeatures
from interpose_ros.matching.view_graph import Link
from interpose_ros.views import View

_on_sigterm = signal.getsignal(signal.SIGTERM)
import pycolmap  # noqa: E402

# pycolmap answers SIGTERM with a stack trace from then on. None is what a handler looks like that is not Python's.
if _on_sigterm is not None and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, _on_sigterm)


@dataclass(frozen=True, eq=False)
class Structure:
    """Poses and points; the scale is arbitrary.

    Attributes:
        poses: ``T_i_w`` of the views that could be placed, by view number; empty where no structure was found, as under
            pure rotation.
        points_w: points in the frame w.
        colours: RGB, from one of the views that show the point.
    """

    poses: Mapping[int, Float[np.ndarray, "4 4"]]
    points_w: Float[np.ndarray, "n 3"]
    colours: UInt8[np.ndarray, "n 3"]


NOTHING = Structure({}, np.zeros((0, 3)), np.zeros((0, 3), np.uint8))


def reconstruct(
    views: Sequence[View], features: Sequence[LocalFeatures], links: Sequence[Link], threads: int = 2
) -> Structure:
    """Poses and points of views, as far as they could be placed.

    Points are undistorted beforehand, so that every lens model works with the same fixed pinhole cameras.
    """
    pycolmap.logging.minloglevel = 3
    with tempfile.TemporaryDirectory(prefix="interpose_ros_") as folder:
        database_path = Path(folder) / "database.db"
        _write_database(database_path, views, features, links)
        options = pycolmap.IncrementalPipelineOptions()
        options.min_model_size = 2
        options.multiple_models = False
        options.ba_refine_focal_length = False
        options.ba_refine_principal_point = False
        options.ba_refine_extra_params = False
        options.extract_colors = False
        options.num_threads = threads
        models = pycolmap.incremental_mapping(database_path, folder, folder, options)
        largest = max(models.values(), key=lambda model: model.num_reg_images(), default=None)
        return NOTHING if largest is None else _structure(largest, views, features)


def _structure(model: pycolmap.Reconstruction, views: Sequence[View], features: Sequence[LocalFeatures]) -> Structure:
    poses = {}
    for image in model.images.values():
        if image.has_pose:
            T = np.eye(4)
            T[:3] = image.cam_from_world().matrix()
            poses[int(image.name)] = T
    points, colours = [], []
    for point in model.points3D.values():
        seen = point.track.elements[0]
        view = int(model.images[seen.image_id].name)
        points.append(point.xyz)
        colours.append(colours_at(views[view].image, features[view].keypoints[[seen.point2D_idx]])[0])
    if not points:
        return Structure(poses, NOTHING.points_w, NOTHING.colours)
    return Structure(poses, np.array(points), np.array(colours))


def _write_database(
    path: Path, views: Sequence[View], features: Sequence[LocalFeatures], links: Sequence[Link]
) -> None:
    database = pycolmap.Database.open(str(path))
    try:
        image_ids = []
        for number, (view, found) in enumerate(zip(views, features, strict=True)):
            camera = view.camera
            K = camera.K
            # COLMAP's pixel centres are at halves.
            params = [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5]
            colmap_camera = pycolmap.Camera(model="PINHOLE", width=camera.width, height=camera.height, params=params)
            colmap_camera.has_prior_focal_length = True
            camera_id = database.write_camera(colmap_camera)
            sensor = pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera_id)
            rig = pycolmap.Rig()
            rig.add_ref_sensor(sensor)
            rig_id = database.write_rig(rig)
            image_id = database.write_image(pycolmap.Image(name=str(number), camera_id=camera_id))
            frame = pycolmap.Frame()
            frame.rig_id = rig_id
            frame.add_data_id(pycolmap.data_t(sensor, image_id))
            database.write_frame(frame)
            pixels = camera.normalise(found.keypoints) * [K[0, 0], K[1, 1]] + [K[0, 2], K[1, 2]] + 0.5
            database.write_keypoints(image_id, pixels.astype(np.float32))
            image_ids.append(image_id)
        for link in links:
            geometry = link.geometry
            indices = link.pair.matches.indices[geometry.inliers].astype(np.uint32)
            two_view = pycolmap.TwoViewGeometry()
            two_view.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
            two_view.inlier_matches = indices
            direction = geometry.direction_b_a if geometry.direction_b_a is not None else np.zeros(3)
            two_view.cam2_from_cam1 = pycolmap.Rigid3d(pycolmap.Rotation3d(geometry.R_b_a), direction)
            two_view.E = skew(direction) @ geometry.R_b_a
            database.write_matches(image_ids[link.i], image_ids[link.j], indices)
            database.write_two_view_geometry(image_ids[link.i], image_ids[link.j], two_view)
    finally:
        database.close()
