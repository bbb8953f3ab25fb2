"""The images of the demo's bag as views."""

from __future__ import annotations

from dataclasses import dataclass

from interpose_ros.evaluation.recorded_truth import RecordedDrive
from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.ros.image_pixels import rgb_from_file_bytes
from interpose_ros.views import KeyframeId, View


@dataclass(frozen=True, eq=False)
class DriveViews:
    """Views in the order of their stamps."""

    views: tuple[View, ...]

    @classmethod
    def of(cls, drive: RecordedDrive) -> DriveViews:
        """Decode the images of a drive."""
        return cls(tuple(_view(drive, stamp, jpeg) for stamp, jpeg in drive.jpegs.items()))

    def at(self, stamp_ns: int) -> View:
        """The view of a stamp."""
        return next(view for view in self.views if view.keyframe_id.stamp_ns == stamp_ns)

    def between(self, first_ns: int, last_ns: int) -> list[LazyView]:
        """The views strictly between two stamps, oldest first."""
        inside = [view for view in self.views if first_ns < view.keyframe_id.stamp_ns < last_ns]
        return [LazyView(view.keyframe_id, lambda view=view: view) for view in inside]  # type: ignore[misc]


def _view(drive: RecordedDrive, stamp_ns: int, jpeg: bytes) -> View:
    image = rgb_from_file_bytes(jpeg)
    height, width = image.shape[:2]
    return View(image, Camera(drive.K, width, height), KeyframeId(drive.camera_frame, stamp_ns))
