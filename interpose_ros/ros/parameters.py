"""ROS parameters, made from the pydantic models: names, defaults, descriptions and ranges have one source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from interpose_ros.config import InterposeConfig
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.settings import Setting, core_settings, node_settings


def declare_parameters(node: Node) -> None:
    """Declare every setting of the node and of the core on a node, with description and range, read-only unless live."""
    for setting in (*node_settings(), *core_settings()):
        node.declare_parameter(setting.name, setting.default, _descriptor(setting))


def read_parameters(node: Node, changes: Mapping[str, Any] | None = None) -> tuple[NodeConfig, InterposeConfig]:
    """The settings of the node and of the core, validated together; ``changes`` replace what the parameters say.

    Raises:
        ValueError: a value is not allowed; the message names the parameter (pydantic's ``ValidationError``).
    """
    changes = changes or {}
    return (
        NodeConfig.model_validate(_values(node, node_settings(), changes)),
        InterposeConfig.model_validate(_values(node, core_settings(), changes)),
    )


def _values(node: Node, settings: Sequence[Setting], changes: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in settings:
        *sections, name = setting.name.split(".")
        section = values
        for key in sections:
            section = section.setdefault(key, {})
        value = changes[setting.name] if setting.name in changes else node.get_parameter(setting.name).value
        section[name] = None if setting.is_optional and value == "" else value
    return values


def _descriptor(setting: Setting) -> ParameterDescriptor:
    """Description and range. A number may be written without a decimal point, so its type is checked by the model."""
    default, bounds = setting.default, setting.bounds
    descriptor = ParameterDescriptor(
        description=setting.description, read_only=not setting.is_live, additional_constraints=setting.constraint
    )
    # Nor have an empty list and empty text for "not set" the type of what may stand there.
    descriptor.dynamic_typing = isinstance(default, float) or default == [] or setting.is_optional
    is_number = isinstance(default, (int, float)) and not isinstance(default, bool)
    if is_number and "ge" in bounds and "le" in bounds:
        lower, upper = bounds["ge"], bounds["le"]
        if isinstance(default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(lower), to_value=int(upper), step=0)]
        elif math.isfinite(lower) and math.isfinite(upper):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(lower), to_value=float(upper), step=0.0)
            ]
    return descriptor
