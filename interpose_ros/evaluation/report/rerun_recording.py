"""A run in 3D for the Rerun viewer (https://rerun.io): both cameras of every pair, as estimated and in truth."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError

from interpose_ros.evaluation.pair_files import LabelledPair, PairFileError, load_pair_file
from interpose_ros.evaluation.report.run_folder import RunFolder

TIMELINE = "pair"
IMAGE_SIDE = 320
UNIT_LENGTH = 1.0
"""Drawn distance of cameras whose distance nobody knows."""


class MissingRerunError(ValueError):
    """The Rerun SDK is not installed; the message says how to get it."""


def write_recording(run: RunFolder, path: Path) -> None:
    """Write a recording with one step of the timeline ``pair`` per pair. Frame A is the world.

    ``pair/a`` and ``pair/b`` are the cameras with their images, b where it was estimated; ``pair/b_true`` is where it was.
    The estimated direction is drawn as long as the true one. Truth and intrinsics come from the pair file, and are left out
    where that is gone.

    Raises:
        MissingRerunError: the Rerun SDK is not installed.
    """
    try:
        import rerun as rr
    except ImportError as error:
        raise MissingRerunError(
            "a 3D recording needs the Rerun SDK: pip install 'interpose-ros[viewer]' (or rerun-sdk)"
        ) from error
    pairs = _pairs(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    recording = rr.RecordingStream("interpose_ros", recording_id=run.path.resolve().name)
    recording.save(str(path))
    recording.log("pair", rr.ViewCoordinates.RDF, static=True)
    for row in run.rows:
        recording.set_time(TIMELINE, sequence=int(row["pair"]))
        recording.log("pair", rr.Clear(recursive=True))
        pair = pairs.get(int(row["pair"]))
        _camera(rr, recording, "pair/a", np.eye(4), row["image0"], None if pair is None else pair.intrinsics_a)
        T_a_b = _estimated(row)
        intrinsics_b = None if pair is None else pair.intrinsics_b
        if T_a_b is not None:
            _camera(rr, recording, "pair/b", T_a_b, row["image1"], intrinsics_b)
        if pair is not None and pair.T_b_a is not None:
            _camera(rr, recording, "pair/b_true", np.linalg.inv(pair.T_b_a), None, intrinsics_b)
        recording.log("log", rr.TextLog(_told(row)))
        if row["rotation_error_deg"] is not None:
            recording.log("rotation_error_deg", rr.Scalars(float(row["rotation_error_deg"])))
    recording.disconnect()


def _pairs(run: RunFolder) -> dict[int, LabelledPair]:
    file = Path(str(run.pairs.get("file", "")))
    try:
        return dict(enumerate(load_pair_file(file)))
    except PairFileError:
        return {}


def _estimated(row: Mapping[str, Any]) -> Float[np.ndarray, "4 4"] | None:
    """``T_a_b`` of the answer; the rotation alone where it has no direction."""
    if row.get("R_b_a") is None:
        return None
    T_b_a = np.eye(4)
    T_b_a[:3, :3] = row["R_b_a"]
    if row.get("direction_b_a") is not None:
        T_b_a[:3, 3] = np.array(row["direction_b_a"]) * (row.get("true_baseline") or UNIT_LENGTH)
    return np.asarray(np.linalg.inv(T_b_a))


def _camera(
    rr: Any,
    recording: Any,
    entity: str,
    T_a_camera: Float[np.ndarray, "4 4"],
    file: str | None,
    intrinsics: tuple[float, float, float, float] | None,
) -> None:
    recording.log(entity, rr.Transform3D(translation=T_a_camera[:3, 3], mat3x3=T_a_camera[:3, :3]))
    width, height, jpeg = 640.0, 480.0, None
    if file is not None:
        try:
            with Image.open(file) as image:
                width, height = map(float, image.size)
                small = image.convert("RGB")
                small.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
                stream = io.BytesIO()
                small.save(stream, "JPEG", quality=80)
                jpeg, scale = stream.getvalue(), small.width / width
        except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
            jpeg = None  # the cameras can be drawn without
    if jpeg is None:
        scale = 1.0
    fx, fy, cx, cy = intrinsics or (width, width, (width - 1) / 2, (height - 1) / 2)
    recording.log(
        f"{entity}/image",
        rr.Pinhole(
            # Rerun counts pixels from their corners, this package from their centres.
            focal_length=[fx * scale, fy * scale],
            principal_point=[(cx + 0.5) * scale, (cy + 0.5) * scale],
            resolution=[width * scale, height * scale],
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.3,
        ),
    )
    if jpeg is not None:
        recording.log(f"{entity}/image", rr.EncodedImage(contents=jpeg, media_type="image/jpeg"))


def _told(row: Mapping[str, Any]) -> str:
    if not row["answered"]:
        return f"pair {row['pair']}: refused, {row.get('reason', '')}"
    error = row["rotation_error_deg"]
    return f"pair {row['pair']}: {row['branch']}" + ("" if error is None else f", rotation {error:.2f} degrees off")
