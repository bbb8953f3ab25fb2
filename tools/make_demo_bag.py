"""Make the demo's bag from a folder of the TUM RGB-D benchmark:

    python tools/make_demo_bag.py FOLDER [--output data/fr3_office_1hz]

FOLDER holds ``groundtruth.txt`` and the colour images ``rgb_1hz/<seconds>.png`` of freiburg3_long_office_household.
Images, stamps, calibration and camera poses are the benchmark's. The robot is made up: a base that carries the camera
half a metre in front of it, and its odometry, the true motion with the errors that odometry has (seeded, so the recipe
always makes the same bag; the JPEG bytes depend on OpenCV's encoder).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from interpose_ros.evaluation.trajectory import Trajectory, read_tum_trajectory, stamp_ns_from_text
from interpose_ros.geometry.interpolation import interpolated
from interpose_ros.geometry.se3 import inverse, rotation_exp, rotation_log, transform_from_rotation_translation

CAMERA_FRAME = "camera_color_optical_frame"
K = np.array([[535.4, 0.0, 320.1], [0.0, 539.2, 247.6], [0.0, 0.0, 1.0]])
JPEG_QUALITY = 97
MAX_BYTES = 6_000_000

# base_link: x forward, y left, z up. The camera looks forward, 20 degrees to the left and 15 degrees down.
T_BASE_CAMERA = transform_from_rotation_translation(
    Rotation.from_euler("ZYX", [20.0, 15.0, 0.0], degrees=True).as_matrix()
    @ np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    np.array([0.45, -0.12, 0.30]),
)

ODOMETRY_PERIOD_NS = 20_000_000
SCALE_ERROR = 1.015  # wheels a little smaller than they are said to be
TRANSLATION_NOISE = 0.008  # metres per square root of a second
ROTATION_NOISE = np.radians(0.4)  # per square root of a second
ROTATION_BIAS = np.radians(0.15)  # per second, about the base's z axis

TYPES = get_typestore(Stores.ROS2_JAZZY)


def message(name: str, **fields: object) -> object:
    """A message of the Jazzy type ``package/Name``."""
    package, _, kind = name.partition("/")
    return TYPES.types[f"{package}/msg/{kind}"](**fields)


def stamp_of(stamp_ns: int) -> object:
    """builtin_interfaces/Time of nanoseconds."""
    return message("builtin_interfaces/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def header(stamp_ns: int, frame_id: str) -> object:
    """std_msgs/Header."""
    return message("std_msgs/Header", stamp=stamp_of(stamp_ns), frame_id=frame_id)


def vector(xyz: np.ndarray) -> object:
    """geometry_msgs/Vector3."""
    return message("geometry_msgs/Vector3", x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))


def quaternion(R: np.ndarray) -> object:
    """geometry_msgs/Quaternion."""
    x, y, z, w = Rotation.from_matrix(R).as_quat(canonical=True)
    return message("geometry_msgs/Quaternion", x=float(x), y=float(y), z=float(z), w=float(w))


def pose(T: np.ndarray) -> object:
    """geometry_msgs/Pose."""
    x, y, z = (float(value) for value in T[:3, 3])
    return message(
        "geometry_msgs/Pose", position=message("geometry_msgs/Point", x=x, y=y, z=z), orientation=quaternion(T[:3, :3])
    )


def image_messages(stamp_ns: int, path: Path) -> tuple[object, object]:
    """CameraInfo and CompressedImage of one file."""
    pixels = cv2.imread(str(path))
    if pixels is None:
        raise SystemExit(f"{path} is not an image that OpenCV reads")
    height, width = pixels.shape[:2]
    encoded, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise SystemExit(f"{path} could not be encoded as JPEG")
    info = message(
        "sensor_msgs/CameraInfo",
        header=header(stamp_ns, CAMERA_FRAME), height=height, width=width, distortion_model="plumb_bob",
        d=np.zeros(5), k=K.ravel(), r=np.eye(3).ravel(), p=np.hstack([K, np.zeros((3, 1))]).ravel(),
        binning_x=0, binning_y=0,
        roi=message("sensor_msgs/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
    )  # fmt: skip
    image = message(
        "sensor_msgs/CompressedImage",
        header=header(stamp_ns, CAMERA_FRAME), format="bgr8; jpeg compressed bgr8", data=data.ravel(),
    )  # fmt: skip
    return info, image


def true_base_poses(truth: Trajectory, begin_ns: int, end_ns: int) -> tuple[list[int], np.ndarray]:
    """Stamps of the odometry and ``T_world_base`` at them.

    The first image is 70 ms older than the motion capture. The base's first motion is continued backwards there, for
    the odometry only: the ground truth on its topic begins where the benchmark's does.
    """
    stamps = list(range(begin_ns, end_ns, ODOMETRY_PERIOD_NS))
    first, tenth = truth.stamps_ns[0], truth.stamps_ns[10]
    poses = []
    for stamp in stamps:
        T_world_camera = truth.pose_at(stamp)
        if T_world_camera is None and stamp < first:
            share = (stamp - first) / (tenth - first)
            T_world_camera = interpolated(truth.T_world_body[0], truth.T_world_body[10], share)
        if T_world_camera is None:
            raise SystemExit(f"groundtruth.txt has a gap at {stamp * 1e-9:.3f} s")
        poses.append(T_world_camera @ inverse(T_BASE_CAMERA))
    return stamps, np.array(poses)


def odometry_messages(stamps: list[int], T_world_base: np.ndarray) -> list[tuple[int, object]]:
    """Odometry that begins at identity and drifts: scale error, turning bias, and noise on every step."""
    random = np.random.default_rng(3)
    step_seconds = ODOMETRY_PERIOD_NS * 1e-9
    T_odom_base = np.eye(4)
    messages = []
    for number, stamp in enumerate(stamps):
        linear = angular = np.zeros(3)
        if number:
            T_before_now = inverse(T_world_base[number - 1]) @ T_world_base[number]
            moved = SCALE_ERROR * T_before_now[:3, 3] + random.normal(0, TRANSLATION_NOISE * step_seconds**0.5, 3)
            turned = rotation_log(T_before_now[:3, :3]) + random.normal(0, ROTATION_NOISE * step_seconds**0.5, 3)
            turned = turned + np.array([0.0, 0.0, ROTATION_BIAS * step_seconds])
            T_odom_base = T_odom_base @ transform_from_rotation_translation(rotation_exp(turned), moved)
            linear, angular = moved / step_seconds, turned / step_seconds
        seconds = max(number, 1) * step_seconds
        pose_variance = np.repeat([TRANSLATION_NOISE**2 * seconds, ROTATION_NOISE**2 * seconds], 3)
        twist_variance = np.repeat([TRANSLATION_NOISE**2 / step_seconds, ROTATION_NOISE**2 / step_seconds], 3)
        messages.append((stamp, message(
            "nav_msgs/Odometry",
            header=header(stamp, "odom"), child_frame_id="base_link",
            pose=message("geometry_msgs/PoseWithCovariance", pose=pose(T_odom_base),
                         covariance=np.diag(pose_variance).ravel()),
            twist=message("geometry_msgs/TwistWithCovariance",
                          twist=message("geometry_msgs/Twist", linear=vector(linear), angular=vector(angular)),
                          covariance=np.diag(twist_variance).ravel()),
        )))  # fmt: skip
    return messages


def extrinsic_message(stamp_ns: int) -> object:
    """/tf_static with the camera on the base."""
    transform = message(
        "geometry_msgs/Transform", translation=vector(T_BASE_CAMERA[:3, 3]), rotation=quaternion(T_BASE_CAMERA[:3, :3])
    )
    return message("tf2_msgs/TFMessage", transforms=[message(
        "geometry_msgs/TransformStamped",
        header=header(stamp_ns, "base_link"), child_frame_id=CAMERA_FRAME, transform=transform,
    )])  # fmt: skip


def qos(depth: int, durability: QosDurability) -> list[Qos]:
    """The publisher's QoS, as a recorder notes it."""
    unset = QosTime(0, 0)
    return [Qos(QosHistory.KEEP_LAST, depth, QosReliability.RELIABLE, durability, unset, unset,
                QosLiveliness.AUTOMATIC, unset, False)]  # fmt: skip


def write_bag(folder: Path, output: Path) -> None:
    """Write the bag as a rosbag2 folder with one MCAP file."""
    images = sorted((folder / "rgb_1hz").glob("*.png"), key=lambda path: stamp_ns_from_text(path.stem))
    if not images:
        raise SystemExit(f"no images in {folder / 'rgb_1hz'}: FOLDER must be the TUM sequence with its 1 Hz images")
    stamps = [stamp_ns_from_text(path.stem) for path in images]
    truth = read_tum_trajectory(folder / "groundtruth.txt")
    begin, end = stamps[0] - 2 * ODOMETRY_PERIOD_NS, stamps[-1] + 5 * ODOMETRY_PERIOD_NS

    recorded: list[tuple[int, str, object]] = [(begin, "/tf_static", extrinsic_message(begin))]
    recorded += [
        (stamp, "/odom", odometry) for stamp, odometry in odometry_messages(*true_base_poses(truth, begin, end))
    ]
    recorded += [
        (stamp, "/ground_truth/pose",
         message("geometry_msgs/PoseStamped", header=header(stamp, "world"), pose=pose(T_world_camera)))
        for stamp, T_world_camera in zip(truth.stamps_ns, truth.T_world_body, strict=True) if begin <= stamp < end
    ]  # fmt: skip
    for stamp, path in zip(stamps, images, strict=True):
        info, image = image_messages(stamp, path)
        recorded += [(stamp, "/camera/camera_info", info), (stamp, "/camera/image/compressed", image)]
    recorded.sort(key=lambda entry: entry[0])  # stable: camera info stays in front of its image

    shutil.rmtree(output, ignore_errors=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    with Writer(output, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for stamp, topic, content in recorded:
            if topic not in connections:
                durability = QosDurability.TRANSIENT_LOCAL if topic == "/tf_static" else QosDurability.VOLATILE
                connections[topic] = writer.add_connection(
                    topic, content.__msgtype__, typestore=TYPES, offered_qos_profiles=qos(10, durability)
                )
            writer.write(connections[topic], stamp, TYPES.serialize_cdr(content, content.__msgtype__))

    size = sum(path.stat().st_size for path in output.iterdir())
    print(f"{output}: {len(images)} images, {len(recorded)} messages, {size / 1e6:.2f} MB")
    if size > MAX_BYTES:
        raise SystemExit(f"the bag is larger than {MAX_BYTES / 1e6:.0f} MB: lower JPEG_QUALITY")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="TUM sequence: rgb_1hz/*.png and groundtruth.txt")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "data/fr3_office_1hz")
    arguments = parser.parse_args()
    write_bag(arguments.folder, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
