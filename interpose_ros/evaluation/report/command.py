"""The commands ``interpose report`` and ``interpose compare``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from interpose_ros.exit_status import EXIT_OK


def register(commands: Any) -> None:
    """Add both commands to the command line."""
    report = commands.add_parser(
        "report",
        help="make the page of a run again, or its 3D recording",
        description="Make report.html in the folder of a run: one file that works offline. `interpose evaluate` and "
        "`interpose replay` do so at their end; a run that is still going on can be looked at this way.",
    )
    report.add_argument("run_folder", type=Path, metavar="DIR", help="what --out of evaluate or replay named")
    report.add_argument("--rerun", type=Path, metavar="FILE.rrd", help="write a 3D recording for the Rerun viewer, too")
    report.set_defaults(run=_report)
    compare = commands.add_parser(
        "compare",
        help="two runs over the same pairs side by side: is the difference real?",
        description="Compare two runs over the same pairs. Differences come with 95 %% intervals from draws of whole "
        "scenes, the same for both runs.",
    )
    compare.add_argument("a", type=Path, metavar="A", help="folder of a run")
    compare.add_argument("b", type=Path, metavar="B", help="folder of another run")
    compare.add_argument(
        "--out", type=Path, default=Path("comparison.html"), metavar="FILE.html", help="default: comparison.html"
    )
    compare.set_defaults(run=_compare)


def _report(options: argparse.Namespace) -> int:
    from interpose_ros.evaluation.report.write import write_report

    print(write_report(options.run_folder))
    if options.rerun:
        from interpose_ros.evaluation.report.rerun_recording import write_recording
        from interpose_ros.evaluation.report.run_folder import read_run

        write_recording(read_run(options.run_folder), options.rerun)
        print(options.rerun)
    return EXIT_OK


def _compare(options: argparse.Namespace) -> int:
    from interpose_ros.evaluation.report.write import write_comparison

    figures = write_comparison(options.a, options.b, options.out)
    print(f"{'':26}{'A':>9}{'B':>9}  95 % interval of B - A")
    for figure in figures:
        print(_line(figure))
    print(options.out)
    return EXIT_OK


def _line(figure: dict[str, Any]) -> str:
    def text(value: float | None, sign: str = "") -> str:
        if value is None:
            return "-"
        return f"{value:{sign}.3g} s" if figure["unit"] == "s" else f"{100 * value:{sign}.1f} %"

    ends = figure["interval_95"]
    interval = "" if ends is None else f"{text(ends[0], '+')} to {text(ends[1], '+')}: "
    return f"{figure['name']:26}{text(figure['a']):>9}{text(figure['b']):>9}  {interval}{figure['verdict']}"
