"""The configuration of a run from the options of its command."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

if TYPE_CHECKING:
    from interpose_ros.config import InterposeConfig

RECORDED = "recorded"


def run_config(options: argparse.Namespace) -> InterposeConfig:
    """What has an option of its own, and over that what ``--set`` names.

    Raises:
        ValueError: more than one preset is named, a setting is not NAME=VALUE, or there is none of that name.
    """
    from interpose_ros.config import InterposeConfig

    presets = [] if options.without_frames else [name for name in options.interpolator if name != RECORDED]
    if len(presets) > 1:
        raise ValueError(
            f"one run imagines frames with one preset, not with {' and '.join(presets)}: make a run for each"
        )
    values: dict[str, Any] = {
        "estimator": options.estimator[0],
        "features": {"device": options.device},
        "dust3r": {"weights": options.weights, "device": options.device},
        "video": {"preset": presets[0] if presets else "", "runtime": {"device": options.device}},
    }
    for setting in options.settings:
        name, separator, value = setting.partition("=")
        *sections, last = name.strip().split(".")
        section: Any = values
        for key in sections:
            section = section.setdefault(key, {}) if isinstance(section, dict) else None
        if not separator or not isinstance(section, dict):
            raise ValueError(f"--set takes NAME=VALUE with a name of docs/parameters.md, not {setting!r}")
        section[last] = yaml.safe_load(value)
    try:
        return InterposeConfig.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"settings cannot be used; docs/parameters.md lists them: {wrong}") from error
