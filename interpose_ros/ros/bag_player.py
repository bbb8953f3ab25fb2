"""Play a bag into a running ROS system, without rosbag2:

    python -m interpose_ros.ros.bag_player BAG --rate 2 --remap /camera/image:=/front/image --clock 100

Messages are published as they were recorded, byte for byte. Playing begins once every image topic has its subscribers, so
that nothing is lost to discovery, and the process ends when everybody has confirmed what was sent.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.interfaces import QosDurability as RecordedDurability
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from tqdm import tqdm

from interpose_ros.ros.executor import SpinThread

IMAGE_TYPES = frozenset({"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"})

QUEUE_DEPTH = 100
"""Deep enough that a subscriber who is busy for a while misses nothing: images are few here and all of them matter."""

ACKNOWLEDGE_SECONDS = 10.0
UNCONFIRMED_DELAY = 1.0


class PlaybackError(RuntimeError):
    """The bag cannot be played; the text says why."""


class BagPlayer:
    """Publishes the topics of a bag.

    Args:
        node: owns the publishers.
        bag: rosbag2 folder, MCAP or sqlite3.
        remaps: topic in the bag to topic published; a name also covers the topics below it, so that ``/camera/image``
            moves ``/camera/image/compressed``.
        excluded: topics of the bag that are not published.

    Raises:
        PlaybackError: the bag is not there or holds types that are not installed.
    """

    def __init__(
        self, node: Node, bag: Path, remaps: Mapping[str, str] | None = None, excluded: Collection[str] = ()
    ) -> None:
        self._node = node
        self._changed = threading.Event()
        self._clock = node.create_publisher(Clock, "/clock", 10)
        try:
            self._reader = AnyReader([bag], default_typestore=get_typestore(Stores.ROS2_JAZZY))
            self._reader.open()
        except Exception as error:
            raise PlaybackError(f"{bag} is not a bag that can be read: {error}") from error
        # Latched topics last: who has confirmed one of their messages knows the publishers that were made before.
        self._connections = sorted((c for c in self._reader.connections if c.topic not in excluded), key=is_latched)
        self._publishers = {c.id: self._publisher(c, remaps or {}) for c in self._connections}
        self.images = sum(c.msgcount for c in self._connections if c.msgtype in IMAGE_TYPES)

    def _publisher(self, connection: Connection, remaps: Mapping[str, str]) -> Publisher:
        topic = remapped(connection.topic, remaps)
        events = PublisherEventCallbacks(matched=lambda _: self._changed.set())
        return self._node.create_publisher(
            message_class(connection.msgtype), topic, recorded_qos(connection), event_callbacks=events
        )

    def wait_for_subscribers(self, timeout: float, subscribers: int = 1) -> None:
        """Wait until every image topic has this many subscribers. The node must be spun by another thread.

        Raises:
            PlaybackError: after ``timeout`` seconds an image topic has fewer.
        """
        deadline = time.monotonic() + timeout
        while lonely := self._with_fewer(subscribers):
            left = deadline - time.monotonic()
            if left <= 0:
                who = "nobody" if subscribers == 1 else f"fewer than {subscribers}"
                raise PlaybackError(f"{who} subscribed to {', '.join(lonely)} within {timeout:g} s")
            # Matches between the look and the wait are not lost: the event stays set until it is cleared here.
            if self._changed.wait(min(left, 1.0)):
                self._changed.clear()

    def _with_fewer(self, subscribers: int) -> list[str]:
        images = [self._publishers[c.id] for c in self._connections if c.msgtype in IMAGE_TYPES]
        return sorted(publisher.topic_name for publisher in images if publisher.get_subscription_count() < subscribers)

    def play_latched(self) -> bool:
        """Publish the latched topics, as a subscriber that joined a running robot would have found them.

        A best-effort subscriber may learn of a publisher later than the publisher of it, and misses what is sent in
        between. It confirms nothing; but processes learn of publishers in the order in which those were made, so that who
        has confirmed a latched message knows the image publishers, too. Returns whether anybody has.
        """
        latched = [c for c in self._connections if is_latched(c)]
        for connection, _, data in self._reader.messages(latched) if latched else ():
            self._publishers[connection.id].publish(bytes(data))
        publishers = [self._publishers[c.id] for c in latched]
        have_all = [p.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_SECONDS)) for p in publishers]
        return all(have_all) and any(p.get_subscription_count() for p in publishers)

    def play(self, rate: float, clock_hz: float, progress: tqdm[Any] | None = None) -> None:
        """Publish the other topics, ``rate`` times as fast as recorded, with ``/clock`` at ``clock_hz`` (0: none)."""
        flowing = [c for c in self._connections if not is_latched(c)]
        if not flowing:
            return
        pace = _Pace(self._reader.start_time, rate, clock_hz, self._publish_clock)
        for connection, stamp_ns, data in self._reader.messages(flowing):
            pace.wait_until(stamp_ns)
            self._publishers[connection.id].publish(bytes(data))
            if progress is not None and connection.msgtype in IMAGE_TYPES:
                progress.update()

    def _publish_clock(self, stamp_ns: int) -> None:
        clock = Clock()
        clock.clock.sec, clock.clock.nanosec = divmod(stamp_ns, 10**9)
        self._clock.publish(clock)

    def finish(self) -> None:
        """Wait until reliable subscribers have everything, and close the bag."""
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_SECONDS))
        self._reader.close()


class _Pace:
    """Turns recorded stamps into moments of this machine's clock, and tells the time on the way."""

    def __init__(self, begin_ns: int, rate: float, clock_hz: float, tell: Any) -> None:
        self._begin_ns = begin_ns
        self._rate = rate
        self._tick_ns = round(rate * 1e9 / clock_hz) if clock_hz > 0 else 0
        self._next_tick_ns = begin_ns
        self._tell = tell
        self._begin = time.monotonic()

    def wait_until(self, stamp_ns: int) -> None:
        """Return at the moment of a stamp; until then the clock ticks."""
        while self._tick_ns and self._next_tick_ns <= stamp_ns:
            self._sleep_until(self._next_tick_ns)
            self._tell(self._next_tick_ns)
            self._next_tick_ns += self._tick_ns
        self._sleep_until(stamp_ns)

    def _sleep_until(self, stamp_ns: int) -> None:
        left = self._begin + (stamp_ns - self._begin_ns) * 1e-9 / self._rate - time.monotonic()
        if left > 0:
            time.sleep(left)


def message_class(msgtype: str) -> type[Any]:
    """The installed Python class of ``package/msg/Name``.

    Raises:
        PlaybackError: it is not installed.
    """
    package, _, name = msgtype.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise PlaybackError(f"the bag holds {msgtype}, which is not installed: exclude its topics") from error


def is_latched(connection: Connection) -> bool:
    """Whether the topic was recorded from a publisher that keeps its messages for late joiners."""
    profiles = getattr(connection.ext, "offered_qos_profiles", ())
    return any(profile.durability == RecordedDurability.TRANSIENT_LOCAL for profile in profiles)


def recorded_qos(connection: Connection) -> QoSProfile:
    """Reliable, which meets reliable and best-effort subscribers alike; latched where the recorded publisher was."""
    durability = DurabilityPolicy.TRANSIENT_LOCAL if is_latched(connection) else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=QUEUE_DEPTH, reliability=ReliabilityPolicy.RELIABLE, durability=durability)


def remapped(topic: str, remaps: Mapping[str, str]) -> str:
    """The name that a topic is published under: the longest remapping of it or of a name above it counts."""
    for source in sorted(remaps, key=len, reverse=True):
        if topic == source or topic.startswith(f"{source}/"):
            return remaps[source] + topic[len(source) :]
    return topic


def parse_remap(text: str) -> tuple[str, str]:
    """``/a:=/b`` as a pair.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    source, sign, target = text.partition(":=")
    if not (sign and source.startswith("/") and target.startswith("/")):
        raise argparse.ArgumentTypeError(f"{text!r} is not a remapping: write /from:=/to, both beginning with a slash")
    return source.rstrip("/"), target.rstrip("/")


def positive(text: str) -> float:
    """A number above 0.

    Raises:
        argparse.ArgumentTypeError: anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def arguments_from(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m interpose_ros.ros.bag_player", description="Play a bag.")
    parser.add_argument("bag", type=Path, help="rosbag2 folder, MCAP or sqlite3")
    parser.add_argument("--rate", type=positive, default=1.0, help="times the recorded speed (default: 1)")
    parser.add_argument("--remap", type=parse_remap, action="append", default=[], metavar="/from:=/to")
    parser.add_argument("--clock", type=positive, default=None, metavar="HZ", help="publish /clock at this rate")
    parser.add_argument("--exclude-topics", nargs="+", default=[], metavar="TOPIC", help="topics to leave out")
    parser.add_argument("--wait", type=positive, default=60.0, metavar="SECONDS", help="for subscribers (default: 60)")
    parser.add_argument("--subscribers", type=int, default=1, metavar="N", help="of each image topic (default: 1)")
    parser.add_argument(
        "--delay",
        type=positive,
        default=None,
        metavar="SECONDS",
        help="wait before the first image (default: 0, or 1 where nobody has confirmed a latched message and a best-effort "
        "subscriber may not know the publisher yet)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Play a bag; exit status 1 where that is not possible."""
    arguments = arguments_from(argv)
    rclpy.init()
    node = Node("bag_player")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinner = None
    try:
        player = BagPlayer(node, arguments.bag, dict(arguments.remap), arguments.exclude_topics)
        spinner = SpinThread(executor, "bag_player")
        player.wait_for_subscribers(arguments.wait, arguments.subscribers)
        is_confirmed = player.play_latched()
        time.sleep(arguments.delay or (0.0 if is_confirmed else UNCONFIRMED_DELAY))
        with tqdm(total=player.images, unit="image", desc="playing", disable=arguments.quiet) as progress:
            player.play(arguments.rate, arguments.clock or 0.0, progress)
        player.finish()
    except PlaybackError as error:
        print(f"bag_player: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except RuntimeError:
        if rclpy.ok():
            raise
        return 130  # the context ended under a call: rclpy's own handler took the signal first
    finally:
        rclpy.try_shutdown()
        if spinner is not None:
            spinner.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
