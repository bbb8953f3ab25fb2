"""Bags of every kind as one stream of messages: rosbag2 (sqlite3, MCAP, compressed or not) and ROS 1."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

NANOSECONDS = 10**9


class ReplayError(ValueError):
    """A bag, or what is asked of it, cannot be used; the message says what is wrong and what would help."""


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag: its name, the type of its messages such as ``sensor_msgs/msg/Image``, and how many "
    "there are."""

    name: str
    msgtype: str
    count: int


@dataclass(frozen=True)
class RawMessage:
    """A message as it lies in the bag.

    Attributes:
        topic, msgtype: where it was sent, and what it is.
        recorded_ns: when the recorder took it.
        data: serialised.
    """

    topic: str
    msgtype: str
    recorded_ns: int
    data: bytes


class Bag:
    """An open bag. Messages are read one by one, so that memory does not grow with the bag. Use ``open_bag``."""

    def __init__(self, path: Path, reader: AnyReader) -> None:
        self.path, self._reader = path, reader
        found: dict[str, BagTopic] = {}
        for connection in reader.connections:
            known = found.get(connection.topic)
            count = connection.msgcount + (known.count if known else 0)
            found[connection.topic] = BagTopic(connection.topic, connection.msgtype, count)
        self.topics = dict(sorted(found.items()))

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """The messages of some topics, in the order in which they were recorded."""
        wanted = [connection for connection in self._reader.connections if connection.topic in topics]
        if not wanted:
            return
        try:
            for connection, recorded_ns, data in self._reader.messages(wanted):
                yield RawMessage(connection.topic, connection.msgtype, recorded_ns, data)
        except (AnyReaderError, OSError, RuntimeError) as error:
            raise ReplayError(f"{self.path} is damaged: {error}") from error

    def content(self, message: RawMessage) -> Any:
        """The deserialised message.

        Raises:
            ReplayError: it is not what its type says.
        """
        try:
            return self._reader.deserialize(message.data, message.msgtype)
        except Exception as error:  # whatever damaged bytes make of it
            raise ReplayError(f"{self.path} has a damaged {message.msgtype} on {message.topic}: {error}") from error

    def header(self, message: RawMessage) -> tuple[int, str]:
        """Stamp in nanoseconds and frame of a message that begins with a header, without reading the rest of it.

        Raises:
            ReplayError: the message is too short for a header.
        """
        try:
            if self._reader.is2:
                order = "<" if message.data[1] & 1 else ">"
                sec, nanosec, length = struct.unpack_from(f"{order}iII", message.data, 4)
                text = message.data[16 : 16 + length].rstrip(b"\0")
            else:
                sec, nanosec, length = struct.unpack_from("<III", message.data, 4)
                text = message.data[16 : 16 + length]
            return sec * NANOSECONDS + nanosec, bytes(text).decode()
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ReplayError(f"{self.path} has a damaged {message.msgtype} on {message.topic}") from error

    def listing(self) -> str:
        """The topics, one a line."""
        return "\n".join(f"  {topic.name}  {topic.msgtype}  {topic.count}" for topic in self.topics.values())


@contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """A bag: a rosbag2 folder, an .mcap or .db3 file, or a ROS 1 .bag file.

    Raises:
        ReplayError: there is none, or it cannot be read.
    """
    if not path.exists():
        raise ReplayError(f"{path} does not exist; a bag is a rosbag2 folder, an .mcap or .db3 file, or a .bag file")
    try:
        reader = AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY))
        reader.open()
    except Exception as error:  # rosbags raises what its parsers do
        raise ReplayError(
            f"{path} is not a bag that can be read ({error}); a bag is a rosbag2 folder with metadata.yaml, an "
            f".mcap or "
            ".db3 file, or a .bag file"
        ) from error
    try:
        yield Bag(path, reader)
    finally:
        reader.close()


def stamp_ns(stamp: Any) -> int:
    """Nanoseconds of a message's stamp."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def is_of(connection: Connection | BagTopic, *names: str) -> bool:
    """Whether messages are of one of these types, ``package/Name``."""
    package, _, name = connection.msgtype.split("/")
    return f"{package}/{name}" in names
