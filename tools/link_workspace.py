"""Lay out the folder that colcon builds in, and let the environment's python find what is in it, nothing sourced.

Usage, with the environment's interpreter: link_workspace.py COLCON_FOLDER

COLCON_FOLDER/src       this package as links: CMake refuses a source folder that contains the environment's packages
COLCON_FOLDER/python    the Python sources alone: with the repository root on the path, its launch/ and test/ would be
                        importable too

Python reads .pth files at every start. The one written here adds, in this order, the sources (edits count at once), the
generated messages and the underlay. A module beside it sets the two variables that ROS reads from the environment.
"""

import sys
import sysconfig
from pathlib import Path

NAME = (
    "interpose_ros_workspace"  # sorts before ros_wheels_bootstrapper.pth, which restarts Python with the library path
)

PACKAGE = [
    "CMakeLists.txt",
    "package.xml",
    "msg",
    "srv",
    "action",
    "interpose_ros",
    "scripts",
    "launch",
    "config",
    "data",
]

HOOK = '''"""Where ROS finds what the workspace has built; written by link_workspace.py, imported at every start."""

import os
import sys

PREFIXES = {prefixes!r}

# ament's index of packages; a caller that set it means it
os.environ.setdefault("AMENT_PREFIX_PATH", os.pathsep.join([*PREFIXES, sys.prefix]))

# The dynamic loader reads LD_LIBRARY_PATH only when a process starts. The ROS wheels' own hook runs after this one and
# restarts Python once with their library folder added; without its mark it does so again, with these folders.
_found = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if folder]
_missing = [folder for folder in (os.path.join(prefix, "lib") for prefix in PREFIXES) if folder not in _found]
if _missing:
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([*_missing, *_found])
    os.environ.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
'''


def link(place: Path, target: Path) -> None:
    """Make place a symbolic link to target, which need not exist yet."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(target)


def main(colcon_folder: str) -> int:
    """Make the links, the .pth file and its module."""
    colcon = Path(colcon_folder).resolve()
    repository = Path(__file__).resolve().parent.parent
    prefixes = [colcon / "install", colcon / "underlay" / "install"]

    colcon.mkdir(parents=True, exist_ok=True)
    (colcon / "COLCON_IGNORE").touch()
    source = colcon / "python"
    for name in PACKAGE:
        link(colcon / "src" / "interpose_ros" / name, repository / name)
    link(source / "interpose_ros", repository / "interpose_ros")

    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = [source, *(prefix / "lib" / python / "site-packages" for prefix in prefixes)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)  # Python ignores .pth lines whose folder does not exist yet

    site_packages = Path(sysconfig.get_paths()["purelib"])
    (site_packages / f"{NAME}.py").write_text(HOOK.format(prefixes=[str(p) for p in prefixes]), encoding="utf-8")
    lines = [*map(str, folders), f"import {NAME}"]
    (site_packages / f"{NAME}.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
