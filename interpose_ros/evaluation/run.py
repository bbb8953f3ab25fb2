"""A run: every pair of a pair file through an engine, row by row onto disk, then the summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpose_ros.config import PUBLISH_CONFIDENCE, InterposeConfig
from interpose_ros.engine.protocol import Engine, Finished, Task
from interpose_ros.evaluation.journal import open_journal, write_atomically
from interpose_ros.evaluation.measured_pair import MeasuredPair, ToolsFactory, measure_pair
from interpose_ros.evaluation.pair_files import PairFile, read_pair_file, require_images
from interpose_ros.evaluation.pose_errors import METRE_BASELINE, OTHER_BASELINE
from interpose_ros.evaluation.row import refused_row
from interpose_ros.evaluation.run_record import begin_run, file_hash
from interpose_ros.evaluation.summary import SEED, summarise
from interpose_ros.refusal import Refusal, RefusalReason

ROWS, RUN, SUMMARY = "rows.jsonl", "run.json", "summary.json"


@dataclass(frozen=True)
class RunSettings:
    """What a run does with every pair.

    Attributes:
        config: of the pipeline.
        tools: estimators, interpolators, and whether every hypothesis is measured.
    """

    config: InterposeConfig
    tools: ToolsFactory


def evaluate(
    pair_file: Path,
    folder: Path,
    settings: RunSettings,
    engine: Engine,
    on_row: Callable[[Mapping[str, Any], int, int], None] = lambda row, done, of: None,
) -> dict[str, Any]:
    """Measure the pairs that the folder has no row of yet, and write the summary of all.

    Args:
        pair_file: the pairs.
        folder: takes run.json, rows.jsonl and summary.json; of an earlier run with the same settings it is continued.
        settings: what is done with every pair.
        engine: where.
        on_row: called with every new row, the number of rows and that of all pairs.

    Returns:
        The content of summary.json.

    Raises:
        PairFileError: the pair file cannot be used, or images are missing.
        OtherRunError: the folder holds another run.
        JournalError: another process writes to the folder, or a row is damaged.
    """
    content = read_pair_file(pair_file)
    require_images(pair_file, content.pairs)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [MeasuredPair(number, pair, min_baseline(content)) for number, pair in enumerate(content.pairs)]
    with open_journal(folder / ROWS) as journal:
        details = {"engine": engine.name, "rows_before": len(journal.rows), "torn_row_dropped": journal.torn}
        begin_run(folder, run_identity(pair_file, content, settings), details)
        rows = list(journal.rows)
        done = {row["pair"] for row in rows}
        left = [job for job in jobs if job.number not in done]
        task = Task(settings.tools, measure_pair, settings.config)
        for outcome in engine.run(task, left):
            job = left[outcome.job]
            if isinstance(outcome, Finished):
                row = outcome.result
            else:
                refusal = Refusal(RefusalReason.INTERNAL, outcome.reason)
                row = refused_row(job.number, job.pair, refusal, job.min_baseline)
            journal.append(row)
            rows.append(row)
            on_row(row, len(rows), len(jobs))
    summary = summarise(rows, PUBLISH_CONFIDENCE)
    write_summary(folder, summary)
    return summary


def run_identity(pair_file: Path, content: PairFile, settings: RunSettings) -> dict[str, Any]:
    """What must be equal for rows to be of one run."""
    return {
        "pairs": {
            "file": str(pair_file.resolve()),
            "name": content.name,
            "protocol": content.protocol,
            "count": len(content.pairs),
            "sha256": file_hash(pair_file),
        },
        "settings": {
            "estimators": list(settings.tools.estimators),
            "interpolators": list(settings.tools.interpolators),
            "every_hypothesis": settings.tools.every_hypothesis,
        },
        "config": settings.config.model_dump(mode="json"),
        "seeds": {"bootstrap": SEED},
    }


def min_baseline(content: PairFile) -> float:
    """Shortest true translation of a pair file that has a direction, in its unit."""
    return METRE_BASELINE if content.translation_unit in ("metres", "meters", "m") else OTHER_BASELINE


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write summary.json."""
    write_atomically(folder / SUMMARY, json.dumps(summary, indent=2, allow_nan=False) + "\n")
