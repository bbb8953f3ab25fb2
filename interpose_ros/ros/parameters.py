"""ROS parameters, made from the pydantic models: names, defaults, descriptions and ranges have one source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from interpose_ros.config import InterposeConfig


class NodeConfig(BaseModel):
    """Settings of the node itself; those of the core are in ``InterposeConfig``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    autostart: bool = Field(False, description="Configure and activate without being asked by a lifecycle manager.")
    keyframe_source: Literal["topic", "stream"] = Field(
        "topic", description="Keyframes come on keyframe/image (topic) or are chosen from image (stream)."
    )
    keyframe_period: float = Field(
        1.0, gt=0.0, description="Time between keyframes chosen from the stream [s], per camera."
    )
    image_transport: Literal["raw", "compressed"] = Field(
        "raw", description="raw: sensor_msgs/Image; compressed: sensor_msgs/CompressedImage at the name + /compressed."
    )
    pair_choice: Literal["previous", "window"] = Field(
        "previous", description="Pair a keyframe with the previous one of its camera, or with all of the last ones."
    )
    pair_window: int = Field(5, ge=1, le=1000, description="With pair_choice window: keyframes to pair a new one with.")
    use_frames: bool = Field(
        True,
        description="Bridge wide pairs by what their camera saw in between, stream frames and other keyframes. False: the "
        "two keyframes alone decide.",
    )
    camera_info_timeout: float = Field(2.0, gt=0.0, description="Time an image waits for its camera info [s].")
    max_keyframes: int = Field(100, ge=2, le=100000, description="Keyframes held with their images; the oldest go.")
    max_pending_pairs: int = Field(200, ge=1, le=100000, description="Pairs that may wait; the oldest are refused.")
    stream_megabytes: float = Field(64.0, ge=0.0, description="JPEG data of stream frames held per camera [MB].")
    publish_tf: bool = Field(True, description="Send accepted edges on /tf.")
    tf_period: float = Field(0.5, gt=0.0, description="Time between two sendings of all live edges [s].")
    tf_frame: str = Field("{frame_id}_kf_{sec}_{nanosec}", description="Pattern of a keyframe's name on /tf.")
    min_confidence: float = Field(
        0.5, ge=0.0, le=1.0, description="Lowest confidence (rotation within 5 degrees) of an edge on /tf."
    )
    uncalibrated_tf: bool = Field(
        False, description="Send edges without calibrated confidence that have uncalibrated_min_inliers."
    )
    uncalibrated_min_inliers: int = Field(60, ge=8, description="Verified matches that uncalibrated_tf asks for.")
    unscaled_tf: Literal["none", "unit"] = Field(
        "none",
        description="Edges of unknown scale on /tf: none, or unit (translation of length 1, not metres; of length 0 "
        "where there is no measurable parallax).",
    )

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


def declare_parameters(node: Node) -> None:
    """Declare every setting of the node and of the core on a node, read-only, with description and range."""
    for name, field in _fields(NodeConfig):
        node.declare_parameter(name, _default(field), _descriptor(field))
    for name, field in _fields(InterposeConfig):
        node.declare_parameter(name, _default(field), _descriptor(field))


def read_parameters(node: Node) -> tuple[NodeConfig, InterposeConfig]:
    """The settings that the node was started with.

    Raises:
        ValueError: a value is not allowed; the message names the parameter (pydantic's ``ValidationError``).
    """
    return NodeConfig.model_validate(_values(node, NodeConfig)), InterposeConfig.model_validate(
        _values(node, InterposeConfig)
    )


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if _is_section(field):
            yield from _fields(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            yield prefix + name, field


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _values(node: Node, model: type[BaseModel]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, field in _fields(model):
        *sections, name = path.split(".")
        section = values
        for key in sections:
            section = section.setdefault(key, {})
        value = node.get_parameter(path).value
        # ROS has no parameter that is not set and typed at once: empty text stands for None.
        section[name] = None if value == "" and field.get_default(call_default_factory=True) is None else value
    return values


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True)
    if value is None:
        return ""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _descriptor(field: FieldInfo) -> ParameterDescriptor:
    """Description and range. A number may be written without a decimal point, so its type is checked by the model."""
    descriptor = ParameterDescriptor(description=field.description or "", read_only=True)
    default = _default(field)
    bounds = {
        key: getattr(item, key) for item in field.metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)
    }
    if get_origin(field.annotation) is Literal:
        descriptor.additional_constraints = "one of " + ", ".join(str(choice) for choice in get_args(field.annotation))
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        descriptor.dynamic_typing = default == ""
        return descriptor
    if isinstance(default, float):
        descriptor.dynamic_typing = True
    symbols = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    descriptor.additional_constraints = ", ".join(f"{symbols[key]} {value}" for key, value in bounds.items())
    if "ge" in bounds and "le" in bounds:
        if isinstance(default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(bounds["ge"]), to_value=int(bounds["le"]), step=0)]
        elif math.isfinite(bounds["ge"]) and math.isfinite(bounds["le"]):
            limits = float(bounds["ge"]), float(bounds["le"])
            descriptor.floating_point_range = [FloatingPointRange(from_value=limits[0], to_value=limits[1], step=0.0)]
    return descriptor
