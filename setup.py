"""The ROS-free core for pip; metadata is in pyproject.toml. colcon builds from package.xml and CMakeLists.txt."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithPresets(build_py):
    """Takes the presets of video models, which lie among the configuration, into the package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # then they are found where they lie
            shutil.copytree(
                Path(__file__).parent / "config" / "video_presets",
                Path(self.build_lib) / "interpose_ros" / "video_presets",
                dirs_exist_ok=True,
            )


setup(cmdclass={"build_py": BuildWithPresets})
