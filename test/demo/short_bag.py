"""A cut of the recorded bag: a few of its images, and everything else around them."""

from __future__ import annotations

from pathlib import Path

from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

BAG = Path(__file__).parents[2] / "data/fr3_office_1hz"
IMAGE_TOPICS = ("/camera/image/compressed", "/camera/camera_info")


def cut(target: Path, first: int, last: int) -> list[int]:
    """Write the images ``first`` to ``last`` (excluded) and what was recorded around them; returns their stamps."""
    with AnyReader([BAG]) as reader, Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        images = [c for c in reader.connections if c.topic == IMAGE_TOPICS[0]]
        stamps = [stamp for _, stamp, _ in reader.messages(images)][first:last]
        added = {}
        for connection in reader.connections:
            profiles = connection.ext.offered_qos_profiles
            added[connection.id] = writer.add_connection(
                connection.topic,
                connection.msgtype,
                typestore=get_typestore(Stores.ROS2_JAZZY),
                offered_qos_profiles=profiles,
            )
        for connection, stamp, data in reader.messages():
            is_around = stamps[0] - 200_000_000 <= stamp <= stamps[-1] + 100_000_000
            if connection.topic == "/tf_static" or (stamp in stamps if connection.topic in IMAGE_TOPICS else is_around):
                writer.write(added[connection.id], stamp, data)
    return stamps
