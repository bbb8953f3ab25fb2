"""A program that joins late, looks one frame up from another at time zero on /tf, and prints the transform:

    python late_joiner.py TARGET SOURCE SECONDS

It answers as tf2 does: the latest time at which every link of the chain is known, and nothing beyond what was received.
"""

import json
import sys
import time

import numpy as np
import rclpy
from rclpy.qos import QoSProfile
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage


class LookupFailed(RuntimeError):
    """There is no answer, or not yet."""


class Buffer:
    """Transforms by child frame and stamp, chained at one time as tf2's buffer does."""

    def __init__(self):
        self._parents = {}
        self._samples = {}

    def add(self, message):
        """Take a message in; tf2 ignores what is not newer than what it has."""
        for transform in message.transforms:
            stamp = transform.header.stamp.sec * 10**9 + transform.header.stamp.nanosec
            q, t = transform.transform.rotation, transform.transform.translation
            T_parent_child = np.eye(4)
            T_parent_child[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
            T_parent_child[:3, 3] = t.x, t.y, t.z
            self._parents[transform.child_frame_id] = transform.header.frame_id
            self._samples.setdefault(transform.child_frame_id, {}).setdefault(stamp, T_parent_child)

    def lookup(self, target, source):
        """``T_target_source`` at the latest common time, where source descends from target."""
        chain, frame = [], source
        while frame != target:
            if frame not in self._parents:
                raise LookupFailed(f"'{source}' and '{target}' are not connected")
            chain.append(frame)
            frame = self._parents[frame]
        common = min(max(self._samples[frame]) for frame in chain)
        T_target_source = np.eye(4)
        for frame in reversed(chain):
            if common not in self._samples[frame]:  # between two samples tf2 would interpolate; edges here do not move
                raise LookupFailed(f"'{frame}' is not known at {common}")
            T_target_source = T_target_source @ self._samples[frame][common]
        return T_target_source


def main(target, source, seconds):
    """Wait for the transform and print it."""
    rclpy.init()
    node = rclpy.create_node("late_joiner")
    buffer = Buffer()
    node.create_subscription(TFMessage, "/tf", buffer.add, QoSProfile(depth=100))
    end, problem = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
        try:
            print(json.dumps(buffer.lookup(target, source).tolist()))
            return 0
        except LookupFailed as error:
            problem = str(error)
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
