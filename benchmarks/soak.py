"""What months do to the node, in hours: a 30 Hz stream of 1080p with keyframes, malformed messages, killed workers, bag
loops, many planners at once, a full disk.

    make env
    tools/ros-env python benchmarks/soak.py                  # an hour's worth of frames, as fast as the machine takes them
    tools/ros-env python benchmarks/soak.py --minutes 2 --malformed 500 --kills 5
    tools/ros-env python benchmarks/soak.py --transport compressed --minutes 0 --kills 0 --loops 1   # malformed files

Writes out/bench/soak.json with the figures, and soak_details.json with what they rest on, the real rate among it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from interpose_ros.engine.process_settings import keep_freed_blocks
from interpose_ros.evaluation.run_record import environment
from interpose_ros.msg import RelativePose
from interpose_ros.ros.client import ImageWithCamera

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "test" / "ros"), str(ROOT / "benchmarks")]
import room  # noqa: E402  (both lie beside the tests)
from malformed import FILES, KINDS  # noqa: E402
from soak_node import NodeProcess, Tester, image_message  # noqa: E402
from soak_planners import Planners  # noqa: E402

WIDTH, HEIGHT = 1920, 1080
STREAM_HZ = 30.0
FRAME = "soak"
START_NS = 10**12
ANSWER_SECONDS = 120.0
PICTURES = 12
WARM_UP_SHARE = 0.25
BATCH = 1000
"""Malformed messages that are sent before the node must have taken them in; the middleware asks for that every 3 s."""
KEYFRAME_EVERY = 90
"""Frames of the stream; one that is due while the last pair is still being worked on is left out."""

SMALL_CACHES = {
    "max_keyframes": 10,
    "stream_megabytes": 8.0,
    "features.cache_megabytes": 32.0,
    "worker.view_megabytes": 32.0,
}
"""So that they are full within minutes, and what grows after that is a leak."""


class Soak:
    """The node, the tester, and what has been counted so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        is_compressed = arguments.transport == "compressed"
        self.node = NodeProcess(
            autostart=True,
            use_sim_time=True,
            image_transport=arguments.transport,
            max_pending_pairs=20,
            **{"worker.max_restart_delay": 2.0},  # or fifty kills in a row would be half an hour of waiting
            **SMALL_CACHES,
        )
        self.tester = Tester(CompressedImage if is_compressed else Image, "/compressed" if is_compressed else "")
        self.now_ns = START_NS
        self.details: dict[str, Any] = {"transport": arguments.transport}
        self.keyframes_sent = 0
        self.pictures = [_picture(k) for k in range(PICTURES)]
        self.files = [_jpeg(p) for p in self.pictures] if is_compressed else [None] * PICTURES
        if not self.tester.wait_until_heard(180.0):
            raise RuntimeError("the node does not listen: see its log (SOAK_LOG)")
        self.tester.send_time(self.now_ns)

    # --- parts of the load

    def stream(self, seconds: float) -> None:
        """So many seconds' worth of frames; a keyframe every few seconds of them."""
        frames = round(seconds * STREAM_HZ)
        memory: list[tuple[float, float]] = []
        sent: dict[int, tuple[float, float]] = {}
        waiting = False
        begin = last_look = time.monotonic()
        for k in range(frames):
            self.now_ns += round(1e9 / STREAM_HZ)
            picture = _to_and_fro(k // KEYFRAME_EVERY)
            self.tester.send_time(self.now_ns)
            if k % 30 == 0:
                self.tester.infos.publish(camera_info(self.now_ns, changed=k // 900 % 2 == 1))
            message = image_message(self.pictures[picture], self.files[picture], FRAME, self.now_ns)
            self.tester.stream.publish(message)
            if waiting and self._answered() >= self.keyframes_sent - 1:
                waiting = False
            if not waiting and k % KEYFRAME_EVERY == 7:
                sent[self.now_ns] = self.send_keyframe(picture)
                waiting = self.keyframes_sent > 1
            if time.monotonic() - last_look > 2.0:
                last_look = time.monotonic()
                memory.append((k / frames * seconds / 3600, self.node.resident_megabytes()))
            if 10 * k // frames != 10 * (k + 1) // frames:
                print(
                    f"  {k + 1} frames, {self._answered()} answers, {memory[-1][1] if memory else 0:.0f} MB", flush=True
                )
            ahead = begin + (k + 1) / STREAM_HZ / self.arguments.rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)  # until the next image of the stream is due
        took = time.monotonic() - begin
        self.tester.wait_for(lambda: self._answered() >= self.keyframes_sent - 1, ANSWER_SECONDS)
        received = lambda: self.tester.value("keyframes", "stream_images_received")  # noqa: E731
        self.tester.wait_for(lambda: received() >= frames, 10.0)
        lost_on_the_way = sum(
            int(v) for key, v in self.tester.diagnostics.get("topics", {}).items() if key.startswith("lost")
        )
        self.details |= {
            "stream_frames": frames,
            "stream_real_hz": round(frames / took, 2),
            "stream_frames_received": received(),
            "stream_frames_lost_by_the_middleware": lost_on_the_way,
            "keyframes": self.keyframes_sent,
            "answers": self._answered(),
            **self._latencies(sent),
            "memory_mb": [[round(h, 5), round(m, 1)] for h, m in memory],
        }
        lost_keyframes = max(0, self.keyframes_sent - 1 - self._answered())
        self.lost_uncounted = max(0, frames - received() - lost_on_the_way) + lost_keyframes
        self.overhead_ms = self.details["latency_overhead_ms"]["median"]
        settled = memory[int(WARM_UP_SHARE * len(memory)) :]
        self.memory_slope = float(np.polyfit(*zip(*settled, strict=True), 1)[0]) if len(settled) > 2 else None

    def _latencies(self, sent: dict[int, tuple[float, float]]) -> dict[str, Any]:
        """What an answer takes beside model time, from the keyframe's being sent to the answer's arrival; of that, the
        node's own share, from its callback to its publishing, and the rest, on the way there and back. The sender's own
        call, which packs the image, comes before."""
        times = self.node.times()
        whole, own, way, packing = [], [], [], []
        for arrived, answer in self.tester.arrivals:
            stamp = answer.keyframe_b.stamp.sec * 10**9 + answer.keyframe_b.stamp.nanosec
            if stamp in sent and stamp in times and answer.status != RelativePose.STATUS_REFUSED_CANCELLED:
                come, gone = times[stamp]
                begin, end = sent[stamp]
                packing.append(end - begin)
                whole.append(arrived - end - answer.seconds)
                own.append(gone - come - answer.seconds)
                way.append(whole[-1] - own[-1])
        parts = {
            "latency_overhead_ms": whole,
            "latency_node_ms": own,
            "latency_transport_ms": way,
            "sending_call_ms": packing,
        }
        return {name: _summary(values) for name, values in parts.items()}

    def malformed(self, count: int) -> int:
        """So many malformed messages on every topic; how many were sent."""
        sent = 0
        for topic, (kind, messages) in KINDS.items() if count else ():
            if self.arguments.transport == "compressed" and topic in ("keyframe/image", "image"):
                topic, kind, messages = f"{topic}/compressed", CompressedImage, FILES  # noqa: PLW2901
            sent += self._fuzz(topic, kind, messages, count)
        self.details["malformed_refusals"] = sum(
            answer.status != RelativePose.STATUS_OK for _, answer in self.tester.arrivals
        )
        return sent

    def _fuzz(self, topic: str, kind: type, messages: Any, count: int) -> int:
        durability = DurabilityPolicy.TRANSIENT_LOCAL if topic == "/tf_static" else DurabilityPolicy.VOLATILE
        publisher = self.tester.node.create_publisher(kind, topic, QoSProfile(depth=2 * BATCH, durability=durability))
        self.tester.wait_for(publisher.get_subscription_count, 10.0)
        sent = 0

        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(messages)
        def send(message: Any) -> None:
            nonlocal sent
            publisher.publish(message)
            sent += 1
            if sent % BATCH == 0:
                publisher.wait_for_all_acked(Duration(seconds=10.0))

        while sent < count:  # hypothesis stops where it has seen every message of a small space
            before = sent
            send()
            if sent == before:
                break
        self.tester.node.destroy_publisher(publisher)
        return sent

    def kill_workers(self, count: int) -> int:
        """Kill the process that estimates at random moments while pairs come; how often it was there to be killed."""
        kills, moment, begin = 0, random.Random(1), time.monotonic()
        while kills < count and time.monotonic() - begin < 60.0 + 20.0 * count:
            self.now_ns += 10**9
            self.tester.send_time(self.now_ns)
            self.tester.keyframe_infos.publish(camera_info(self.now_ns))
            self.send_keyframe(kills)
            time.sleep(moment.uniform(0.0, 2.0))  # the random moment
            kills += self.node.kill_worker()
        return kills

    def loop_bag(self, loops: int) -> int:
        """The same seconds again and again, with a clock that jumps back; how many loops had their pair answered right."""
        begin_ns, right = START_NS // 2, 0
        for _ in range(loops):
            self.now_ns = begin_ns
            self.tester.send_time(self.now_ns)
            if not self.tester.wait_for(lambda: self.tester.held() == 0, 30.0):
                continue
            seen = len(self.tester.arrivals)
            for k in (0, 1):
                self.now_ns += 10**9
                self.tester.send_time(self.now_ns)
                self.tester.keyframe_infos.publish(camera_info(self.now_ns))
                self.send_keyframe(k)

            def is_answered(since: int = seen) -> bool:
                return any(m.status == RelativePose.STATUS_OK for _, m in self.tester.arrivals[since:])

            right += self.tester.wait_for(is_answered, ANSWER_SECONDS)
        return right

    def planners(self, clients: int, seconds: float) -> dict[str, Any]:
        """Many planners that call everything at once, while keyframes go on coming."""
        end = time.monotonic() + seconds
        a, b = (
            ImageWithCamera(image_message(self.pictures[k], None, FRAME, stamp), camera_info(stamp))
            for k, stamp in ((0, 1), (1, 2))
        )
        planners = Planners(clients, (a, b), FRAME)
        planners.start(seconds)
        k = 0
        while time.monotonic() < end:
            self.now_ns += 10**9
            self.tester.send_time(self.now_ns)
            self.tester.keyframe_infos.publish(camera_info(self.now_ns))
            self.send_keyframe(k := k + 1)
            time.sleep(1.0)
        return planners.figures()

    # --- helpers

    def send_keyframe(self, picture: int) -> tuple[float, float]:
        """One keyframe at the present time; when its sending began and ended [s, monotonic clock]."""
        k = picture % PICTURES
        self.tester.keyframe_infos.publish(camera_info(self.now_ns))
        pixels = self.pictures[k].copy()
        pixels[:16, :16] = self.keyframes_sent % 251  # never quite the same, or its features would be known already
        file = None if self.files[k] is None else _jpeg(pixels)
        message = image_message(pixels, file, FRAME, self.now_ns)
        self.keyframes_sent += 1
        begin = time.monotonic()
        self.tester.keyframes.publish(message)
        return begin, time.monotonic()

    def _answered(self) -> int:
        return len(self.tester.arrivals)

    def answers_a_good_pair(self) -> bool:
        """After all that: two keyframes and a right answer."""
        return self.node.is_alive and self.loop_bag(1) == 1

    def close(self) -> int:
        """End everything; the node's exit status."""
        status = self.node.stop()
        self.tester.close()
        return status


def _summary(seconds: list[float]) -> dict[str, float | None]:
    """In milliseconds."""
    if not seconds:
        return {"count": 0, "median": None}
    shares = {"median": 50, "p90": 90, "p99": 99, "most": 100}
    found = {name: round(1e3 * float(np.percentile(seconds, share)), 1) for name, share in shares.items()}
    return {"count": len(seconds), **found}


def _to_and_fro(k: int) -> int:
    """Numbers of pictures whose neighbours overlap: what is measured is the node, not how it bridges a wide pair."""
    place = k % (2 * PICTURES - 2)
    return min(place, 2 * PICTURES - 2 - place)


def _picture(k: int) -> np.ndarray:
    R = Rotation.from_euler("y", 6.0 * k, degrees=True).as_matrix()
    small = room.picture(R, np.array([0.25 * k - 1.5, 0.05 * (k % 2), -1.0]))
    large = cv2.resize(small, (1440, HEIGHT), interpolation=cv2.INTER_CUBIC)
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    canvas[:, 240:1680] = large
    return canvas


def _jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def camera_info(stamp_ns: int, changed: bool = False) -> CameraInfo:
    """Of the pictures; ``changed`` as after a new calibration."""
    factor = HEIGHT / room.HEIGHT
    K = room.K.copy()
    K[:2, 2] += 0.5
    K[:2] *= factor * (1.001 if changed else 1.0)
    K[:2, 2] -= 0.5
    K[0, 2] += 240
    message = CameraInfo(width=WIDTH, height=HEIGHT, k=K.ravel().tolist())
    message.header.frame_id = FRAME
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    return message


def cache_survives_a_full_disk() -> bool:
    """A clip cache that cannot write: it says so, keeps nothing, and what was cached before is still found."""
    from interpose_ros.interpolation.clip_cache import CachedClip, ClipCache

    clip = CachedClip(np.stack([np.full((48, 64, 3), 40 * k, np.uint8) for k in range(5)]), 4)
    with tempfile.TemporaryDirectory() as folder:
        reader, writer = os.pipe()
        if os.fork() == 0:  # in a process of its own, whose files may not grow
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            try:
                kept = ClipCache(Path(folder), 1e9).put("full", clip)
                os.write(writer, b"0" if kept else b"1")
            except BaseException:  # this copy of the process must end here, whatever happened in it
                os.write(writer, b"!")
            os._exit(0)
        os.close(writer)
        answer = os.read(reader, 1)
        os.close(reader)
        os.wait()
    return answer == b"1"


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """All parts in turn; the figures, and what they rest on."""
    soak = Soak(arguments)
    details = soak.details
    details["arguments"] = {key: str(value) for key, value in vars(arguments).items()}
    try:
        soak.stream(60.0 * arguments.minutes)
        details["memory_slope_mb_per_hour"], details["lost_uncounted"] = soak.memory_slope, soak.lost_uncounted
        _write(_details_path(arguments), details)  # an hour's work, whatever becomes of the rest
        print(f"stream: {details['stream_frames']} frames at {details['stream_real_hz']} Hz", flush=True)
        details["planners"] = soak.planners(arguments.clients, arguments.planner_seconds)
        print(f"planners: {details['planners']}", flush=True)
        details["bag_loops_asked"], details["bag_loops_right"] = arguments.loops, soak.loop_bag(arguments.loops)
        print(f"bag looped: {details['bag_loops_right']} of {arguments.loops} right", flush=True)
        malformed = soak.malformed(arguments.malformed)
        print(f"malformed messages: {malformed}, node alive: {soak.node.is_alive}", flush=True)
        kills = soak.kill_workers(arguments.kills)
        print(f"workers killed: {kills}", flush=True)
        details["clip_cache_survives_full_disk"] = cache_survives_a_full_disk()
        alive = soak.answers_a_good_pair()
    finally:
        details["exit_status"] = soak.close()
    figures = {
        "hours_simulated": details["stream_frames"] / STREAM_HZ / 3600,
        "memory_slope_mb_per_hour": soak.memory_slope,
        "latency_overhead_ms_median": soak.overhead_ms,
        "lost_uncounted": soak.lost_uncounted,
        "malformed_messages": malformed,
        "worker_kills": kills,
        "node_alive": alive,
    }
    return figures, details


def _details_path(arguments: argparse.Namespace) -> Path:
    return arguments.out.with_name(f"{arguments.out.stem}_details.json")


def _write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=None if path.stem.endswith("_details") else 2) + "\n", encoding="utf-8")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="of 30 Hz stream (default: 60)")
    parser.add_argument("--rate", type=float, default=1.0, help="times real time, at most (default: 1)")
    parser.add_argument("--transport", choices=["raw", "compressed"], default="raw", help="of images (default: raw)")
    parser.add_argument("--malformed", type=int, default=10_000, help="messages of every type (default: 10000)")
    parser.add_argument("--kills", type=int, default=50, help="of the worker (default: 50)")
    parser.add_argument("--loops", type=int, default=20, help="of the bag (default: 20)")
    parser.add_argument("--clients", type=int, default=8, help="planners at once (default: 8)")
    parser.add_argument("--planner-seconds", type=float, default=30.0, help="that they call for (default: 30)")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench" / "soak.json")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="hypothesis")
    # Nobody else's robot is to hear this, and nobody else is to be heard.
    os.environ.setdefault("ROS_DOMAIN_ID", str(101 + os.getpid() % 100))
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    keep_freed_blocks()  # as the node does; a camera driver reuses its buffers, too
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(ROOT / "config" / "fastdds_large_images.xml"))
    figures, details = run(arguments)
    _write(arguments.out, figures)
    _write(_details_path(arguments), {"environment": environment(), **details})
    print(json.dumps(figures, indent=2))
    return 0 if figures["node_alive"] and figures["lost_uncounted"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
