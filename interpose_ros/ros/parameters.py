"""ROS parameters, made from the pydantic models: names, defaults, descriptions and ranges have one source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from interpose_ros.config import InterposeConfig
from interpose_ros.ros.node_config import NodeConfig


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
        # An empty list has no type of its own.
        descriptor.dynamic_typing = default in ("", [])
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
