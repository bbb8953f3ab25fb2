"""The table of parameters in the docs is that of the models. Needs no ROS."""

import runpy
from pathlib import Path

from interpose_ros.ros.settings import core_settings, node_settings

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = [*node_settings(), *core_settings()]


def test_table_is_current():
    page = runpy.run_path(str(REPOSITORY / "tools" / "parameter_table.py"))["page"]()
    written = (REPOSITORY / "docs" / "parameters.md").read_text()
    assert written == page, "run: python tools/parameter_table.py > docs/parameters.md"


def test_every_setting_is_described_and_named_once():
    names = [setting.name for setting in SETTINGS]
    assert len(set(names)) == len(names)
    for setting in SETTINGS:
        assert setting.description.endswith("."), setting.name


def test_settings_have_the_limits_and_defaults_of_the_models():
    by_name = {setting.name: setting for setting in SETTINGS}
    window = by_name["pair_window"]
    assert (window.default, window.bounds, window.constraint) == (5, {"ge": 1, "le": 1000}, "≥ 1, ≤ 1000")
    assert by_name["pair_choice"].constraint == "one of previous, window, list"
    assert by_name["pair_list"].default == []
    assert (by_name["odometry.extrinsic"].default, by_name["odometry.extrinsic"].is_optional) == ("", True)
