"""What ``interpose evaluate`` and ``interpose replay`` leave in a folder, read for a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpose_ros.config import PUBLISH_CONFIDENCE
from interpose_ros.evaluation.journal import read_rows
from interpose_ros.evaluation.summary import summarise


class RunFolderError(ValueError):
    """A folder holds no run that a report can be made of; the message says what is missing."""


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run.

    Attributes:
        path: of the folder.
        record: run.json; empty where there is none.
        rows: of rows.jsonl, by pair.
        summary: summary.json, or made from the rows where the run has not ended yet.
        complete: whether the run has ended.
    """

    path: Path
    record: Mapping[str, Any]
    rows: list[dict[str, Any]]
    summary: Mapping[str, Any]
    complete: bool

    @property
    def name(self) -> str:
        """Of the set of pairs, for people."""
        return str(self.pairs.get("name") or self.path.resolve().name)

    @property
    def protocol(self) -> str:
        """Published protocol that the pairs follow; "" for none."""
        return str(self.pairs.get("protocol") or "")

    @property
    def pairs(self) -> Mapping[str, Any]:
        """What the record says of the pair file."""
        found = self.record.get("pairs")
        return found if isinstance(found, Mapping) else {}


def read_run(path: Path) -> RunFolder:
    """Read a run, also one that is still under way.

    Raises:
        RunFolderError: the folder holds no rows, or not what it should.
        JournalError: a row is damaged.
    """
    rows_path = path / "rows.jsonl"
    if not rows_path.is_file():
        raise RunFolderError(f"{path} has no rows.jsonl: name the folder that `interpose evaluate --out` was given")
    rows = sorted(read_rows(rows_path), key=lambda row: row.get("pair", 0))
    if not rows:
        raise RunFolderError(f"{rows_path} holds no row yet: there is nothing to report")
    record = _object(path / "run.json")
    summary = _object(path / "summary.json")
    complete = summary.get("n") == len(rows)
    run = RunFolder(path, record, rows, summary, complete)
    if complete:
        return run
    return RunFolder(path, record, rows, summarise(rows, PUBLISH_CONFIDENCE), False)


def _object(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunFolderError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} does not hold an object")
    return content
