"""Every setting of the node by its ROS name: from the pydantic models, for ROS parameters and for the docs. Free of ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from interpose_ros.config import InterposeConfig
from interpose_ros.ros.node_config import NodeConfig

_SYMBOLS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: with its sections, "frames.max_frames".
        default: as ROS has it: empty text stands for "not set", since ROS has no parameter that is typed and not set.
        is_optional: whether "not set" is allowed.
        description: a sentence.
        bounds: limits of a number, by pydantic's names "ge", "gt", "le", "lt".
        choices: allowed texts; none where any is allowed.
        is_live: whether it may change while the node is active.
    """

    name: str
    default: Any
    is_optional: bool
    description: str
    bounds: dict[str, int | float]
    choices: tuple[str, ...]
    is_live: bool = False

    @property
    def constraint(self) -> str:
        """The limits or choices in words; empty where there are none."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        return ", ".join(f"{_SYMBOLS[key]} {value:g}" for key, value in self.bounds.items())


def node_settings() -> list[Setting]:
    """Settings of the node itself."""
    return list(settings_of(NodeConfig))


def core_settings() -> list[Setting]:
    """Settings of the pipeline, which works without ROS, too."""
    return list(settings_of(InterposeConfig))


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """The settings of a model, in the order of its fields."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from settings_of(annotation, f"{prefix}{name}.")
        else:
            yield _setting(prefix + name, field)


def _setting(name: str, field: FieldInfo) -> Setting:
    value = field.get_default(call_default_factory=True)
    bounds = {key: getattr(item, key) for item in field.metadata for key in _SYMBOLS if hasattr(item, key)}
    is_choice = get_origin(field.annotation) is Literal
    choices = tuple(str(choice) for choice in get_args(field.annotation)) if is_choice else ()
    extra = field.json_schema_extra
    is_live = isinstance(extra, dict) and bool(extra.get("live"))
    return Setting(name, _for_ros(value), value is None, field.description or "", bounds, choices, is_live)


def _for_ros(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value
