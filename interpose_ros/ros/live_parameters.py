"""Parameters while the node runs: whole sets are validated together, live ones take effect, unknown ones are reported."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from pydantic import ValidationError
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from interpose_ros.config import InterposeConfig
from interpose_ros.ros.node_config import NodeConfig
from interpose_ros.ros.parameters import read_parameters
from interpose_ros.ros.settings import core_settings, node_settings

_OF_ROS = ("use_sim_time", "start_type_description_service")


class LiveParameters:
    """Guards a node's parameters once they are declared.

    Args:
        node: has declared them.
        changed: told the new settings after a change that is allowed.
    """

    def __init__(self, node: Node, changed: Callable[[NodeConfig, InterposeConfig], None]) -> None:
        self._node, self._changed = node, changed
        self._names = {setting.name for setting in (*node_settings(), *core_settings())}
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._apply)

    def _check(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        values = {parameter.name: parameter.value for parameter in parameters if parameter.name in self._names}
        if values:
            try:
                read_parameters(self._node, values)
            except ValidationError as error:
                return SetParametersResult(successful=False, reason=readable(error))
        return SetParametersResult(successful=True)

    def _apply(self, parameters: Sequence[Parameter]) -> None:
        if any(parameter.name in self._names for parameter in parameters):
            self._changed(*read_parameters(self._node))


def readable(error: ValidationError) -> str:
    """What is wrong with which parameters, in one line."""
    parts = []
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join(str(part) for part in found["loc"] if not isinstance(part, int))
        text = found["msg"].removeprefix("Value error, ")
        parts.append(f"{name}: {text}" if name else text)
    return "; ".join(parts)


def unknown_parameters(given: Sequence[str]) -> dict[str, str]:
    """Names that were given to the node and are none of its parameters, each with the one that may be meant, or "".

    Args:
        given: names in parameter files and on the command line.
    """
    known = [setting.name for setting in (*node_settings(), *core_settings())]
    unknown = [
        name for name in given if name not in known and name not in _OF_ROS and not name.startswith("qos_overrides.")
    ]
    return {name: next(iter(difflib.get_close_matches(name, known, 1, 0.7)), "") for name in sorted(unknown)}
