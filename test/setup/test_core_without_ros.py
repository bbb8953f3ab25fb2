"""`pip install .` gives the core on a machine without ROS."""

import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

from .locations import PYTHON, REPOSITORY, bare_environment

# Stands in for a machine without ROS: everything that pip would install for this package, but no package of ROS.
HIDE_ROS = """
import sys

class HideRos:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in {"rclpy", "cv_bridge", "tf_transformations"} or top.endswith(("_msgs", "_srvs")):
            raise ModuleNotFoundError(f"No module named {top!r} (hidden by the test)", name=top)

sys.meta_path.insert(0, HideRos())
"""

IMPORT_ALL = """
import importlib, pkgutil, interpose_ros
names = [m.name for m in pkgutil.walk_packages(interpose_ros.__path__, "interpose_ros.", onerror=lambda name: None)]
names = [n for n in names if not n.startswith("interpose_ros.ros.") and n != "interpose_ros.ros"]
for name in names:
    importlib.import_module(name)
for result in (interpose_ros.__file__, interpose_ros.__version__, len(names)):
    print(result)
"""


PRESETS = """
from interpose_ros.interpolation.diffusion.preset import preset_folder, shipped_presets
print(preset_folder(), *shipped_presets(), sep="\\n")
"""


@pytest.fixture
def source(tmp_path):
    """What pip needs of the repository, so that it leaves its build folders elsewhere."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "THIRD_PARTY_LICENSES.md"):
        shutil.copy(REPOSITORY / name, folder)
    shutil.copytree(REPOSITORY / "config", folder / "config")
    shutil.copytree(
        REPOSITORY / "interpose_ros", folder / "interpose_ros", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


@pytest.fixture
def environment(tmp_path):
    """Interpreter of an environment that sees the installed requirements and no ROS."""
    folder = tmp_path / "environment"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", folder], check=True, timeout=100)
    site_packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site_packages / "requirements.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    (site_packages / "hide_ros.py").write_text(HIDE_ROS)
    (site_packages / "hide_ros.pth").write_text("import hide_ros\n")
    return folder / "bin" / "python"


def install(environment, *what):
    """The environment has every requirement already, so that nothing is fetched."""
    run(
        environment,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--ignore-installed",
        *what,
    )


def run(*command, cwd="/"):
    result = subprocess.run(
        list(map(str, command)),
        env=bare_environment(),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_pip_install(environment, source, tmp_path):
    install(environment, source)
    shutil.rmtree(source)
    for folder in ("/", tmp_path):
        file, version, count = run(environment, "-c", IMPORT_ALL, cwd=folder).splitlines()
        assert Path(file).is_relative_to(tmp_path / "environment")
        assert (version, int(count) > 10) == ("0.1.0", True)
    presets, *names = run(environment, "-c", PRESETS).splitlines()
    assert Path(presets).is_relative_to(tmp_path / "environment")
    assert "wan21_vace_1_3b" in names
    assert "usage" in run(environment.with_name("interpose"), "--help").lower()


def test_pip_install_editable(environment, source, tmp_path):
    install(environment, "--editable", source)
    (source / "interpose_ros" / "edited.py").write_text(textwrap.dedent("""answer = 42"""))
    assert run(environment, "-c", "import interpose_ros.edited as e; print(e.answer)", cwd=tmp_path).strip() == "42"
    for folder in ("/", source):
        file, _, _ = run(environment, "-c", IMPORT_ALL, cwd=folder).splitlines()
        assert Path(file).resolve() == source / "interpose_ros" / "__init__.py"
    presets, *names = run(environment, "-c", PRESETS).splitlines()
    assert Path(presets).resolve() == source / "config" / "video_presets"
    assert "wan21_vace_1_3b" in names
    assert "usage" in run(environment.with_name("interpose"), "--help").lower()


def test_ros_is_really_hidden(environment):
    with pytest.raises(AssertionError, match="hidden by the test"):
        run(environment, "-c", "import rclpy")
