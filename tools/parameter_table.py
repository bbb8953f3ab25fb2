"""Writes docs/parameters.md from the models of the configuration: python tools/parameter_table.py > docs/parameters.md"""

import math
import sys

from interpose_ros.ros.settings import Setting, core_settings, node_settings

INTRODUCTION = """# Parameters of the node

Those marked *live* may change while the node is active. The others are read when the node is configured, and read-only: to
change one, start the node with another value, in a parameter file (like [config/interpose.yaml](../config/interpose.yaml))
or with `--ros-args -p name:=value`. `ros2 param describe` says the same as this page, which `tools/parameter_table.py`
writes.
"""


def table(settings: list[Setting]) -> str:
    """Rows of markdown."""
    rows = ["| name | default | allowed | |", "|---|---|---|---|"]
    rows += [f"| `{s.name}` | {default(s)} | {s.constraint} | {live(s)}{s.description} |" for s in settings]
    return "\n".join(rows) + "\n"


def live(setting: Setting) -> str:
    """Whether it may change while the node is active."""
    return "*live.* " if setting.is_live else ""


def default(setting: Setting) -> str:
    """As it would be written in a parameter file."""
    value = setting.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if setting.is_optional:
        return "not set"
    if isinstance(value, float):
        text = f"`{value:.6g}`"
        return f"{text} ({math.degrees(value):.3g}°)" if "[rad]" in setting.description else text
    return f"`{value}`"


def page() -> str:
    """The whole page."""
    return f"""{INTRODUCTION}
## The node

{table(node_settings())}
## The pipeline

{table(core_settings())}"""


if __name__ == "__main__":
    sys.stdout.write(page())
