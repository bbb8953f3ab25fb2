"""Fetching a registered set of weights, after its licence was agreed to."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from interpose_ros.models.download import READ_TIMEOUT, DownloadError, fetch_file
from interpose_ros.models.registry import Weights

RECORD = "origin.json"
"""File beside the weights that says where they came from, with sizes, checksums and the licence that was agreed to."""

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, bytes there, and bytes in all (None where the server does not say)."""


def licence_notice(weights: Weights) -> str:
    """What a user must have read before anything is fetched."""
    size = "unknown" if weights.approximate_bytes is None else f"about {weights.approximate_bytes / 1e9:.1f} GB"
    return (
        f"{weights.name}: {weights.description}\n"
        f"Licence of the weights: {weights.licence}, {weights.licence_url}\n"
        f"{weights.licence_note}\n"
        f"Size: {size}. Expected in {weights.folder}"
    )


def pull(weights: Weights, source: str, progress: Progress, timeout: float = READ_TIMEOUT, pause: float = 1.0) -> Path:
    """Fetch all files of one source; those that a record says are whole are not fetched again.

    Args:
        weights: what to fetch; agreeing to its licence is the caller's matter.
        source: one of ``weights.sources``.
        progress: called as bytes arrive.
        timeout, pause: see ``fetch_file``.

    Returns:
        What an estimator is given: folder or file.

    Raises:
        ValueError: there is no such source.
        DownloadError: see ``fetch_file``.
    """
    if source not in weights.sources:
        raise ValueError(f"{weights.name} comes from {' or '.join(weights.sources)}, not from {source!r}")
    files = weights.sources[source]
    record = read_record(weights.folder)
    for file in files:
        path = weights.folder / file.name
        known = record.get(file.name)
        if known and path.is_file() and path.stat().st_size == known["size"]:
            progress(file.name, known["size"], known["size"])
            continue
        fetched = fetch_file(file, weights.folder, functools.partial(progress, file.name), timeout, pause)
        record[file.name] = {
            **asdict(fetched),
            "licence": weights.licence,
            "fetched": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        write_record(weights.folder, record)
    location = weights.location()
    if location is None:
        raise DownloadError(f"{weights.folder} changed while {weights.name} was fetched")
    return location


def read_record(folder: Path) -> dict[str, dict]:
    """What a folder's record says of its files; nothing where there is none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {name: entry for name, entry in record.items() if isinstance(entry["size"], int)}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_record(folder: Path, record: dict[str, dict]) -> None:
    """Replace a folder's record at once."""
    new = folder / f"{RECORD}.new"
    new.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    new.replace(folder / RECORD)
