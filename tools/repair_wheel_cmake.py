"""Correct the two paths of the build machine in the CMake files of the ROS 2 wheels.

The wheels' exported targets name the include folder and the site-packages of the Python they were built with. A
package that depends on another package's messages does not configure until both name this interpreter's folders. Run it
with the interpreter of the environment that has the wheels; a second run finds nothing to do.
"""

import re
import sys
import sysconfig
from pathlib import Path

BUILD_PYTHON = r"/opt/python/cp\d+-cp\d+"


def repair(text: str, include: str, site_packages: str) -> str:
    """Return the text with the build machine's Python folders replaced by the given ones."""
    text = re.sub(BUILD_PYTHON + r"/include/python\d\.\d+", lambda _: include, text)
    return re.sub(BUILD_PYTHON + r"/lib/python\d\.\d+/site-packages", lambda _: site_packages, text)


def main() -> int:
    """Repair every CMake file below the environment's share folder."""
    paths = sysconfig.get_paths()
    share = Path(sys.prefix, "share")
    changed, left = 0, []
    for file in share.rglob("*.cmake"):
        before = file.read_text(encoding="utf-8")
        after = repair(before, paths["include"], paths["purelib"])
        if after != before:
            file.write_text(after, encoding="utf-8")
            changed += 1
        if re.search(BUILD_PYTHON, after):
            left.append(str(file))
    if changed:
        print(f"== {changed} CMake files of the ROS wheels now name this interpreter's folders")
    if left:
        print("these still name folders of the machine that built the wheels:", *left, sep="\n  ", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
