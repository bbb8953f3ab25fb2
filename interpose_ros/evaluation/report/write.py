"""Reports on disk."""

from __future__ import annotations

from pathlib import Path

from interpose_ros.evaluation.journal import write_atomically
from interpose_ros.evaluation.report.comparison import compare_runs
from interpose_ros.evaluation.report.comparison_content import comparison_content
from interpose_ros.evaluation.report.content import report_content
from interpose_ros.evaluation.report.page import page
from interpose_ros.evaluation.report.run_folder import read_run

REPORT = "report.html"


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into the folder of a run and return its path. Works on a run that has not ended, too.

    Raises:
        RunFolderError: the folder holds no run.
        JournalError: a row is damaged.
    """
    run = read_run(folder)
    path = folder / REPORT
    scripts = ["elements.js", "plots.js", "pairs.js", "report.js"]
    write_atomically(path, page(f"{run.name}: relative poses", report_content(run), scripts))
    return path


def write_comparison(folder_a: Path, folder_b: Path, path: Path) -> list[dict[str, object]]:
    """Write the page that shows two runs side by side, and return its figures.

    Raises:
        RunFolderError: a folder holds no run, or the runs have no pair in common.
        JournalError: a row is damaged.
    """
    a, b = read_run(folder_a), read_run(folder_b)
    comparison = compare_runs(a, b)
    scripts = ["elements.js", "plots.js", "pairs.js", "compare.js"]
    title = f"{folder_a.resolve().name} and {folder_b.resolve().name}: relative poses"
    write_atomically(path, page(title, comparison_content(a, b, comparison), scripts))
    return comparison.figures
