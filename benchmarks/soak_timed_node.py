"""The node, noting when keyframes reach it and when answers have left it: soak_timed_node.py FILE --ros-args ...

Each line of the file is ``in`` or ``out``, the keyframe's stamp [ns], and the time [s] of the monotonic clock, which all
processes of a machine share.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from interpose_ros.msg import RelativePose
from interpose_ros.ros.conversions import nanoseconds_from_stamp
from interpose_ros.ros.image_intake import ImageIntake
from interpose_ros.ros.node import InterposeNode, main


def run(path: Path) -> int:
    """The node's own program, with the two moments noted."""
    file = path.open("w", buffering=1, encoding="utf-8")
    take_in, send_out = ImageIntake.add_keyframe_image, InterposeNode.relative_pose

    def add_keyframe_image(intake: ImageIntake, message: Any) -> None:
        file.write(f"in {nanoseconds_from_stamp(message.header.stamp)} {time.monotonic():.6f}\n")
        take_in(intake, message)

    def relative_pose(node: InterposeNode, message: RelativePose) -> None:
        send_out(node, message)
        file.write(f"out {nanoseconds_from_stamp(message.keyframe_b.stamp)} {time.monotonic():.6f}\n")

    ImageIntake.add_keyframe_image = add_keyframe_image  # type: ignore[method-assign]
    InterposeNode.relative_pose = relative_pose  # type: ignore[method-assign]
    return main()


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv.pop(1))))
