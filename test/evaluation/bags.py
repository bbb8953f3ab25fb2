"""Bags of every kind of one made-up drive: a base that walks a curve and carries a camera that looks aside."""

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from interpose_ros.geometry.se3 import inverse, transform_from_rotation_translation

BEGIN = 1_700_000_000_123_456_789
IMAGE_PERIOD, TRUTH_PERIOD = 250_000_000, 40_000_000
IMAGES = 13
WIDTH, HEIGHT = 64, 48
K = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])
CAMERA, BASE = "front_optical", "base_link"

T_BASE_CAMERA = transform_from_rotation_translation(
    Rotation.from_euler("ZYX", [30.0, 10.0, 0.0], degrees=True).as_matrix()
    @ np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]),
    np.array([0.4, -0.1, 0.3]),
)
T_WORLD_ODOM = transform_from_rotation_translation(Rotation.from_euler("Z", 40, degrees=True).as_matrix(), np.ones(3))

KINDS = {
    "sqlite3": (StoragePlugin.SQLITE3, None),
    "mcap": (StoragePlugin.MCAP, None),
    "sqlite3, messages compressed": (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
    "sqlite3, file compressed": (StoragePlugin.SQLITE3, CompressionMode.FILE),
    "mcap, chunks compressed": (StoragePlugin.MCAP, CompressionMode.STORAGE),
    "mcap, messages compressed": (StoragePlugin.MCAP, CompressionMode.MESSAGE),
    "ros 1": None,
}


def image_stamps():
    """Of the images, in nanoseconds."""
    return [BEGIN + k * IMAGE_PERIOD for k in range(IMAGES)]


def T_world_base(stamp):
    """Where the base is: constant speed and turning between any two stamps of the truth."""
    seconds = (stamp - BEGIN) * 1e-9
    R = Rotation.from_euler("Z", 20.0 * seconds, degrees=True).as_matrix()
    return transform_from_rotation_translation(R, np.array([0.5 * seconds, 0.1 * seconds, 0.0]))


def T_world_camera(stamp):
    """Where the camera is."""
    return T_world_base(stamp) @ T_BASE_CAMERA


def pixels(number):
    """Picture of an image, BGR."""
    return np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


class BagMaker:
    """Collects messages, and writes them as a bag of a kind."""

    def __init__(self, kind="mcap"):
        self.kind = kind
        is_ros1 = KINDS[kind] is None
        self.types = get_typestore(Stores.ROS1_NOETIC if is_ros1 else Stores.ROS2_JAZZY)
        self.is_ros1 = is_ros1
        if is_ros1:
            text = "geometry_msgs/TransformStamped[] transforms"
            self.types.register(get_types_from_msg(text, "tf2_msgs/msg/TFMessage"))
        self.messages = []

    def make(self, name, **fields):
        """A message of type ``package/Name``; ROS 1 headers count."""
        package, _, kind = name.partition("/")
        full = f"{package}/msg/{kind}"
        if name == "std_msgs/Header" and self.is_ros1:
            fields["seq"] = 0
        if name == "sensor_msgs/CameraInfo" and self.is_ros1:
            fields = {n.upper() if n in "dkrp" else n: v for n, v in fields.items()}
        known = {field for field, _ in self.types.fielddefs[full][1]}
        assert known == set(fields), f"{full} has {known}"
        return self.types.types[full](**fields)

    def header(self, stamp, frame):
        """std_msgs/Header."""
        sec, nanosec = divmod(stamp, 10**9)
        return self.make(
            "std_msgs/Header", stamp=self.make("builtin_interfaces/Time", sec=sec, nanosec=nanosec), frame_id=frame
        )

    def add(self, topic, stamp, message):
        """One message, recorded a little after its stamp."""
        self.messages.append((stamp + 1_000_000, topic, message))

    def vector(self, kind, xyz):
        """geometry_msgs/Point or Vector3."""
        return self.make(f"geometry_msgs/{kind}", x=float(xyz[0]), y=float(xyz[1]), z=float(xyz[2]))

    def quaternion(self, R):
        """geometry_msgs/Quaternion."""
        x, y, z, w = Rotation.from_matrix(R).as_quat().tolist()
        return self.make("geometry_msgs/Quaternion", x=x, y=y, z=z, w=w)

    def pose(self, T):
        """geometry_msgs/Pose."""
        return self.make(
            "geometry_msgs/Pose", position=self.vector("Point", T[:3, 3]), orientation=self.quaternion(T[:3, :3])
        )

    def transform(self, stamp, parent, child, T):
        """geometry_msgs/TransformStamped."""
        content = self.make(
            "geometry_msgs/Transform", translation=self.vector("Vector3", T[:3, 3]), rotation=self.quaternion(T[:3, :3])
        )
        return self.make(
            "geometry_msgs/TransformStamped", header=self.header(stamp, parent), child_frame_id=child, transform=content
        )

    def tf(self, topic, stamp, *transforms):
        """A message of transforms (parent, child, T)."""
        found = [self.transform(stamp, *entry) for entry in transforms]
        self.add(topic, stamp, self.make("tf2_msgs/TFMessage", transforms=found))

    def add_images(self, topic="/front/image_raw", compressed=False, encoding="bgr8", stamps=None, padding=8):
        """The drive's images with their calibration."""
        for number, stamp in enumerate(stamps or image_stamps()):
            self.add(topic.rpartition("/")[0] + "/camera_info", stamp, self.camera_info(stamp))
            header, bgr = self.header(stamp, CAMERA), pixels(number)
            if compressed:
                data = np.frombuffer(cv2.imencode(compressed, bgr)[1].tobytes(), np.uint8)
                message = self.make("sensor_msgs/CompressedImage", header=header, format="", data=data)
                self.add(f"{topic}/compressed", stamp, message)
                continue
            content = {"bgr8": bgr, "rgb8": bgr[..., ::-1], "mono8": bgr[..., :1]}[encoding]
            step = content.shape[1] * content.shape[2] + padding
            padded = np.zeros((HEIGHT, step), np.uint8)
            padded[:, : step - padding] = content.reshape(HEIGHT, -1)
            message = self.make(
                "sensor_msgs/Image", header=header, height=HEIGHT, width=WIDTH, encoding=encoding, is_bigendian=0, step=step,
                data=padded.ravel(),
            )  # fmt: skip
            self.add(topic, stamp, message)

    def camera_info(self, stamp, model="plumb_bob", distortion=(0.0,) * 5):
        """sensor_msgs/CameraInfo."""
        roi = self.make("sensor_msgs/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self.make(
            "sensor_msgs/CameraInfo", header=self.header(stamp, CAMERA), height=HEIGHT, width=WIDTH, distortion_model=model,
            d=np.array(distortion), k=K.ravel(), r=np.eye(3).ravel(), p=np.hstack([K, np.zeros((3, 1))]).ravel(),
            binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip

    def add_truth(self, kind, topic="/vicon/pose", stamps=None):
        """The truth of the drive in one of the ways in which it is recorded."""
        self.tf("/tf_static", BEGIN - 10**9, (BASE, CAMERA, T_BASE_CAMERA))
        for stamp in stamps or range(BEGIN - IMAGE_PERIOD, BEGIN + IMAGES * IMAGE_PERIOD, TRUTH_PERIOD):
            base, header = T_world_base(stamp), self.header(stamp, "world")
            covariance = np.zeros(36)
            if kind == "PoseStamped":
                message = self.make("geometry_msgs/PoseStamped", header=header, pose=self.pose(T_world_camera(stamp)))
            elif kind == "PoseWithCovarianceStamped":
                pose = self.make("geometry_msgs/PoseWithCovariance", pose=self.pose(base), covariance=covariance)
                message = self.make("geometry_msgs/PoseWithCovarianceStamped", header=header, pose=pose)
            elif kind == "Odometry":
                pose = self.make("geometry_msgs/PoseWithCovariance", pose=self.pose(base), covariance=covariance)
                zero = self.vector("Vector3", np.zeros(3))
                twist = self.make("geometry_msgs/Twist", linear=zero, angular=zero)
                twist = self.make("geometry_msgs/TwistWithCovariance", twist=twist, covariance=covariance)
                message = self.make("nav_msgs/Odometry", header=header, child_frame_id=BASE, pose=pose, twist=twist)
            elif kind == "TransformStamped":
                message = self.transform(stamp, "world", BASE, base)
            else:  # /tf in two links, of which the upper one comes at other stamps
                self.tf("/tf", stamp, ("odom", BASE, inverse(T_WORLD_ODOM) @ base))
                self.tf("/tf", stamp + 7_000_000, ("world", "odom", T_WORLD_ODOM))
                continue
            self.add(topic, stamp, message)

    def write(self, path):
        """Write the bag; returns its path (ROS 1: a file)."""
        self.messages.sort(key=lambda entry: entry[0])
        if self.is_ros1:
            with Writer1(path.with_suffix(".bag")) as writer:
                self._write(writer, lambda topic, kind: writer.add_connection(topic, kind, typestore=self.types))
            return path.with_suffix(".bag")
        plugin, compression = KINDS[self.kind]
        writer = Writer2(path, version=9, storage_plugin=plugin)
        if compression is not None:
            writer.set_compression(compression, CompressionFormat.ZSTD)
        with writer:
            self._write(writer, lambda topic, kind: writer.add_connection(topic, kind, typestore=self.types))
        return path

    def _write(self, writer, connect):
        connections = {}
        serialize = self.types.serialize_ros1 if self.is_ros1 else self.types.serialize_cdr
        for stamp, topic, message in self.messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = connect(topic, kind)
            writer.write(connections[topic], stamp, serialize(message, kind))
