"""Which topics of a bag are the images, the camera's calibration and the truth."""

from __future__ import annotations

from collections.abc import Sequence

from interpose_ros.evaluation.replay.bag import Bag, BagTopic, ReplayError, is_of

IMAGE_TYPES = ("sensor_msgs/Image", "sensor_msgs/CompressedImage")
POSE_TYPES = (
    "geometry_msgs/PoseStamped",
    "geometry_msgs/PoseWithCovarianceStamped",
    "geometry_msgs/TransformStamped",
    "nav_msgs/Odometry",
)
TF_TYPES = ("tf2_msgs/TFMessage", "tf/tfMessage")
TRUTH_WORDS = ("ground_truth", "groundtruth", "gt_", "_gt", "/gt", "vicon", "vrpn", "optitrack", "mocap", "leica")
NOT_COLOUR = ("depth", "mask", "label", "disparity", "confidence")


def image_topic(bag: Bag, asked: str | None) -> BagTopic:
    """The images: the topic that is asked for, or the only one that can be meant.

    Raises:
        ReplayError: it is not there, or several can be meant.
    """
    images = [topic for topic in bag.topics.values() if is_of(topic, *IMAGE_TYPES)]
    if asked is not None:
        for name in (asked, f"{asked}/compressed"):
            found = [topic for topic in images if topic.name == name]
            if found:
                return found[0]
        raise ReplayError(f"{bag.path} has no images on {asked}; its topics:\n{bag.listing()}")
    likely = [t for t in images if t.count and not any(word in t.name.lower() for word in NOT_COLOUR)]
    # The same images twice, raw and compressed: the compressed ones are as good and quicker to read.
    twice = {t.name.removesuffix("/compressed") for t in likely if t.name.endswith("/compressed")}
    likely = [t for t in likely if t.name not in twice]
    return _only(bag, likely, "images", "--image-topic")


def camera_info_topic(bag: Bag, asked: str | None, images: BagTopic) -> BagTopic | None:
    """The calibration: the topic that is asked for, or ``camera_info`` beside the images; None where there is none.

    Raises:
        ReplayError: the topic that is asked for is not there.
    """
    infos = {t.name: t for t in bag.topics.values() if is_of(t, "sensor_msgs/CameraInfo") and t.count}
    if asked is not None:
        if asked not in infos:
            raise ReplayError(f"{bag.path} has no camera info on {asked}; its topics:\n{bag.listing()}")
        return infos[asked]
    above = images.name.removesuffix("/compressed")
    while above:
        above = above.rpartition("/")[0]
        if f"{above}/camera_info" in infos:
            return infos[f"{above}/camera_info"]
    return next(iter(infos.values())) if len(infos) == 1 else None


def truth_topic(bag: Bag, asked: str | None) -> BagTopic:
    """The truth: the topic that is asked for, or the one whose name says so.

    Raises:
        ReplayError: it is not there, is of no type that holds poses, or nothing says that it is the truth.
    """
    poses = [topic for topic in bag.topics.values() if is_of(topic, *POSE_TYPES, *TF_TYPES) and topic.count]
    if asked is not None:
        found = [topic for topic in poses if topic.name == asked]
        if not found:
            known = ", ".join((*POSE_TYPES, "tf2_msgs/TFMessage"))
            raise ReplayError(f"{bag.path} has no poses on {asked} ({known}); its topics:\n{bag.listing()}")
        return found[0]
    named = [t for t in poses if any(word in t.name.lower() for word in TRUTH_WORDS)]
    if not named:
        raise ReplayError(
            f"no topic of {bag.path} is named like a truth, and odometry is none: name it with --truth TOPIC, --truth "
            f"/tf, or --truth FILE.tum; its topics:\n{bag.listing()}"
        )
    return _only(bag, named, "true poses", "--truth")


def tf_topics(bag: Bag) -> list[str]:
    """All topics that hold transforms of the tree."""
    return [topic.name for topic in bag.topics.values() if is_of(topic, *TF_TYPES)]


def _only(bag: Bag, found: Sequence[BagTopic], what: str, option: str) -> BagTopic:
    if len(found) == 1:
        return found[0]
    if not found:
        raise ReplayError(f"{bag.path} has no {what}; its topics:\n{bag.listing()}")
    names = ", ".join(topic.name for topic in found)
    raise ReplayError(f"{bag.path} has {what} on several topics ({names}): choose one with {option}")
