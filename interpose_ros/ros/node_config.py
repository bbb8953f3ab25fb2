"""Settings of the node itself; those of the core are in ``interpose_ros.config``. Free of ROS, like those."""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from interpose_ros.config import LIVE, PUBLISH_CONFIDENCE
from interpose_ros.ros.contact_config import NodeContactConfig
from interpose_ros.ros.engine_config import NodeActionConfig, NodeBudgetConfig, NodeWorkerConfig
from interpose_ros.ros.odometry_config import NodeOdometryConfig
from interpose_ros.ros.pair_list import parse_pair
from interpose_ros.ros.scale_config import NodeDepthConfig, NodeScaleConfig


class NodeConfig(BaseModel):
    """Settings of the node itself; those of the core are in ``InterposeConfig``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autostart: bool = Field(False, description="Configure and activate without being asked by a lifecycle manager.")
    keyframe_source: Literal["topic", "stream"] = Field(
        "topic", description="Keyframes come on keyframe/image (topic) or are chosen from image (stream)."
    )
    keyframe_choice: Literal["time", "overlap", "motion"] = Field(
        "time",
        description="With keyframe_source stream: an image becomes a keyframe when keyframe_period has passed (time), and "
        "when it then shares less than keyframe_overlap with the last keyframe of its camera (overlap), or when odometry "
        "says that the robot has moved by keyframe_distance or turned by keyframe_rotation since (motion).",
    )
    keyframe_period: float = Field(
        1.0,
        gt=0.0,
        description="Least time between keyframes, or looks for one, in the stream of a camera [s].",
        json_schema_extra=LIVE,
    )
    keyframe_overlap: float = Field(
        0.5,
        gt=0.0,
        le=1.0,
        description="With keyframe_choice overlap: share of the image below which it is a keyframe.",
    )
    keyframe_distance: float = Field(0.5, gt=0.0, description="With keyframe_choice motion: a move that is enough [m].")
    keyframe_rotation: float = Field(
        math.radians(15.0), gt=0.0, description="With keyframe_choice motion: a turn that is enough [rad]."
    )
    image_transport: Literal["raw", "compressed"] = Field(
        "raw", description="raw: sensor_msgs/Image; compressed: sensor_msgs/CompressedImage at the name + /compressed."
    )
    cameras: tuple[str, ...] = Field(
        (),
        description="Names of several cameras, each with its own topics: [front, left] listens to front/image, "
        "front/keyframe/image, left/image ... Empty: one set of topics, which may carry several cameras, too.",
    )
    rectified: tuple[str, ...] = Field(
        (),
        description="Frames of cameras whose images are rectified, ['*'] for all: P of their camera info counts instead of "
        "K, and no distortion.",
    )
    pair_choice: Literal["previous", "window", "list"] = Field(
        "previous",
        description="Pair a keyframe with the previous one of its camera, with the last pair_window ones of any camera, or "
        "as pair_list says.",
        json_schema_extra=LIVE,
    )
    pair_window: int = Field(
        5,
        ge=1,
        le=1000,
        description="With pair_choice window: keyframes to pair a new one with.",
        json_schema_extra=LIVE,
    )
    pair_list: tuple[str, ...] = Field(
        (),
        description="With pair_choice list: pairs A B of keyframes, each as FRAME_ID@SECONDS or SECONDS with up to nine "
        "decimals: ['front@12.5 left@12.5', '3.04 7.2'].",
        json_schema_extra=LIVE,
    )
    use_frames: bool = Field(
        True,
        description="Bridge wide pairs by what their camera saw in between, stream frames and other keyframes. False: the "
        "two keyframes alone decide.",
    )
    camera_info_timeout: float = Field(
        5.0,  # Fast DDS repeats what was lost on the way only every three seconds, and holds back all that came after it
        gt=0.0,
        description="Time an image waits for its camera info [s].",
        json_schema_extra=LIVE,
    )
    max_keyframes: int = Field(100, ge=2, le=100000, description="Keyframes held with their images; the oldest go.")
    keyframe_megabytes: float = Field(
        500.0,
        gt=0.0,
        description="Most memory of the images of keyframes, and as much again of images that wait [MB]; the oldest go, but "
        "two stay.",
    )
    max_pending_pairs: int = Field(
        200, ge=1, le=100000, description="Pairs that may wait; when_late says which are refused beyond it."
    )
    when_late: Literal["drop_oldest", "drop_newest", "skip"] = Field(
        "drop_oldest",
        description="When keyframes come faster than answers: refuse the pair that has waited longest, the one that comes, "
        "or every other one of those that wait, so that what remains is spread over the way. Every one is answered "
        "CANCELLED and counted.",
    )
    stream_megabytes: float = Field(64.0, ge=0.0, description="JPEG data of stream frames held per camera [MB].")
    publish_tf: bool = Field(True, description="Send accepted edges on /tf.")
    tf_period: float = Field(0.5, gt=0.0, description="Time between two sendings of all live edges [s].")
    tf_frame: str = Field("{frame_id}_kf_{sec}_{nanosec}", description="Pattern of a keyframe's name on /tf.")
    min_confidence: float = Field(
        PUBLISH_CONFIDENCE,
        ge=0.0,
        le=1.0,
        description="Lowest confidence (rotation within 5 degrees) of an edge on /tf; less certain answers go out on "
        "~/relative_pose alone.",
        json_schema_extra=LIVE,
    )
    uncalibrated_tf: bool = Field(
        False,
        description="Send edges without calibrated confidence that have uncalibrated_min_inliers.",
        json_schema_extra=LIVE,
    )
    uncalibrated_min_inliers: int = Field(
        60, ge=8, description="Verified matches that uncalibrated_tf asks for.", json_schema_extra=LIVE
    )
    unscaled_tf: Literal["none", "unit"] = Field(
        "none",
        description="Edges of unknown scale on /tf: none, or unit (translation of length 1, not metres; of length 0 "
        "where there is no measurable parallax).",
        json_schema_extra=LIVE,
    )

    budget: NodeBudgetConfig = NodeBudgetConfig()
    action: NodeActionConfig = NodeActionConfig()
    worker: NodeWorkerConfig = NodeWorkerConfig()
    odometry: NodeOdometryConfig = NodeOdometryConfig()
    depth: NodeDepthConfig = NodeDepthConfig()
    scale: NodeScaleConfig = NodeScaleConfig()
    contact: NodeContactConfig = NodeContactConfig()

    @field_validator("pair_list")
    @classmethod
    def _pairs_are_readable(cls, pairs: tuple[str, ...]) -> tuple[str, ...]:
        for text in pairs:
            parse_pair(text)
        return pairs

    @field_validator("cameras")
    @classmethod
    def _cameras_are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*", name):
                raise ValueError(
                    f"'{name}' is no part of a topic's name: letters, digits and _, beginning with a letter"
                )
        if len(set(names)) < len(names):
            raise ValueError("a camera is named twice")
        return names

    @model_validator(mode="after")
    def _list_is_there(self) -> NodeConfig:
        if self.pair_choice == "list" and not self.pair_list:
            raise ValueError("pair_choice is list and pair_list is empty: name pairs in pair_list")
        return self

    @model_validator(mode="after")
    def _motion_is_heard(self) -> NodeConfig:
        if self.keyframe_choice == "motion" and not self.odometry.use:
            raise ValueError("keyframe_choice is motion and odometry.use is false: odometry is what tells the motion")
        return self

    def topics(self, name: str) -> list[str]:
        """A topic of every camera: the name itself, or one for each of ``cameras``."""
        return [f"{camera}/{name}" for camera in self.cameras] or [name]

    def is_rectified(self, frame_id: str) -> bool:
        """Whether the images of this frame are rectified."""
        return frame_id in self.rectified or "*" in self.rectified

    @field_validator("tf_frame")
    @classmethod
    def _pattern_names_the_keyframe(cls, pattern: str) -> str:
        try:
            names = {
                pattern.format(frame_id=f, sec=s, nanosec=n)
                for f, s, n in (("a", 1, 2), ("b", 1, 2), ("a", 3, 2), ("a", 1, 4))
            }
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise ValueError(f"'{pattern}' may use {{frame_id}}, {{sec}} and {{nanosec}} only: {error}") from error
        if len(names) < 4:
            raise ValueError(f"'{pattern}' must use {{frame_id}}, {{sec}} and {{nanosec}}: frames need unique names")
        return pattern
