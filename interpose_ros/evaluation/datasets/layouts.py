"""The layouts that can be read, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpose_ros.evaluation.datasets import cambridge, euroc, kitti, navi, nerfstudio, scannet, seven_scenes, tum
from interpose_ros.evaluation.datasets.photos import Scene, scenes_or_error


@dataclass(frozen=True)
class Layout:
    """One data set as it lies on disk.

    Attributes:
        title: its name.
        reader: gives the scenes of a folder.
        looked_for: what a folder must hold, in words.
        yaw_bins: of the papers, in degrees.
        unit: of its translations.
    """

    title: str
    reader: Callable[[Path], Iterator[Scene]]
    looked_for: str
    yaw_bins: tuple[tuple[float, float], ...]
    unit: str

    def scenes(self, folder: Path, progress: Callable[[], Any] = lambda: None) -> list[Scene]:
        """The scenes of a folder.

        Args:
            folder: the data set, or one scene of it.
            progress: called with every scene that was read.

        Raises:
            DatasetError: it holds none, or a file of one is damaged.
        """
        found = []
        for scene in scenes_or_error(self.reader(folder), folder, self.title, self.looked_for):
            found.append(scene)
            progress()
        return found


_OUTWARD = ((50.0, 65.0), (65.0, 90.0))
_CENTRE = ((50.0, 90.0),)
_ALL = (*_OUTWARD, *_CENTRE)

LAYOUTS: Mapping[str, Layout] = {
    "scannet": Layout("ScanNet", scannet.scenes, scannet.LOOKED_FOR, _OUTWARD, "metres"),
    "cambridge": Layout("Cambridge Landmarks", cambridge.scenes, cambridge.LOOKED_FOR, _OUTWARD, "reconstruction"),
    "dl3dv": Layout("DL3DV-10K", nerfstudio.scenes, nerfstudio.LOOKED_FOR, _CENTRE, "reconstruction"),
    "navi": Layout("NAVI", navi.scenes, navi.LOOKED_FOR, _CENTRE, "millimetres"),
    "tum": Layout("TUM RGB-D", tum.scenes, tum.LOOKED_FOR, _ALL, "metres"),
    "7scenes": Layout("7-Scenes", seven_scenes.scenes, seven_scenes.LOOKED_FOR, _ALL, "metres"),
    "kitti": Layout("KITTI odometry", kitti.scenes, kitti.LOOKED_FOR, _ALL, "metres"),
    "euroc": Layout("EuRoC MAV", euroc.scenes, euroc.LOOKED_FOR, _ALL, "metres"),
}
