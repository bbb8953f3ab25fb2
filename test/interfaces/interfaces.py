"""What other programs rely on in this package's messages: type hashes and constants.

Written to interfaces.json, against which the test compares. After a deliberate change, and its entry in the CHANGELOG:

    .venv/bin/python test/interfaces/interfaces.py
"""

import json
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from rosidl_adapter.parser import parse_action_file, parse_message_file, parse_service_file

PINNED = Path(__file__).with_name("interfaces.json")


def type_hash(package: str, interface: str) -> str:
    """RIHS01 hash of a built interface, such as "msg/KeyframeId"; two programs talk only if theirs agree."""
    description = json.loads((Path(get_package_share_directory(package)) / f"{interface}.json").read_text())
    (found,) = [h["hash_string"] for h in description["type_hashes"] if h["type_name"] == f"{package}/{interface}"]
    return found


def constants(file: Path) -> dict[str, object]:
    """Constants of a .msg, .srv or .action file by name; the type hash leaves them out."""
    if file.suffix == ".msg":
        parts = [parse_message_file("interpose_ros", str(file))]
    elif file.suffix == ".srv":
        service = parse_service_file("interpose_ros", str(file))
        parts = [service.request, service.response]
    else:
        action = parse_action_file("interpose_ros", str(file))
        parts = [action.goal, action.result, action.feedback]
    return {constant.name: constant.value for part in parts for constant in part.constants}


def describe() -> dict[str, dict]:
    """Hash and constants of every interface in this package."""
    share = Path(get_package_share_directory("interpose_ros"))
    files = sorted(file for kind in ("msg", "srv", "action") for file in (share / kind).glob(f"*.{kind}"))
    return {
        f"{file.parent.name}/{file.stem}": {
            "hash": type_hash("interpose_ros", f"{file.parent.name}/{file.stem}"),
            "constants": constants(file),
        }
        for file in files
    }


if __name__ == "__main__":
    PINNED.write_text(json.dumps(describe(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {PINNED}")
