"""The command ``interpose evaluate``: every pair of a pair file, compared with its truth."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interpose_ros.evaluation.engines import engine_from_name, engine_name
from interpose_ros.evaluation.run_config import run_config
from interpose_ros.exit_status import EXIT_OK

ESTIMATORS = ("features", "dust3r")


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    evaluate = commands.add_parser(
        "evaluate",
        help="answer every pair of a pair file and compare with its truth",
        description="Answer every pair of a pair file and compare with its truth. A run that was interrupted "
        "goes on where "
        "it was when the command is given again.",
    )
    evaluate.add_argument("pairs", type=Path, metavar="PAIRS.json")
    add_run_options(evaluate)
    evaluate.set_defaults(run=_evaluate)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that makes a run."""
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for run.json, rows.jsonl, summary.json")
    parser.add_argument(
        "--estimator",
        nargs="+",
        choices=ESTIMATORS,
        default=["features"],
        help="what finds poses over frames in between; the first answers, further ones are compared (default: "
        "features)",
    )
    parser.add_argument(
        "--weights", metavar="NAME_OR_PATH", help="of dust3r: a name that `interpose models` lists, or a checkpoint"
    )
    parser.add_argument(
        "--interpolator",
        nargs="+",
        default=["recorded"],
        metavar="NAME",
        help="where frames in between come from, in the order in which they are tried: recorded (the pair "
        "file's), and at most "
        "one preset that `interpose models` lists, or a YAML file, to imagine them (default: recorded)",
    )
    parser.add_argument("--without-frames", action="store_true", help="withhold all frames in between")
    parser.add_argument(
        "--answers-only",
        action="store_true",
        help="do not measure hypotheses that the pipeline did not need to look at; quicker, but leaves the oracle less",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="any setting of docs/parameters.md, such as frames.max_frames=12 or video.clips=2",
    )
    parser.add_argument("--device", default="cpu", help="torch device of all networks (default: cpu)")
    parser.add_argument(
        "--engine",
        type=engine_name,
        default="local",
        metavar="local|ray[://HOST:PORT]",
        help="where the pairs are worked on (default: local, this process)",
    )
    parser.add_argument("--rerun", type=Path, metavar="FILE.rrd", help="write a 3D recording for the Rerun viewer, too")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="of the engine ray (default: as many as it has room for)"
    )


def run_pair_file(pairs: Path, options: argparse.Namespace) -> None:
    """Make or continue a run of a pair file with the options of ``add_run_options``; prints the headline figures."""
    from tqdm import tqdm

    from interpose_ros.evaluation.measured_pair import ToolsFactory
    from interpose_ros.evaluation.run import RunSettings, evaluate
    from interpose_ros.evaluation.summary_text import summary_text

    config = run_config(options)
    interpolators = () if options.without_frames else tuple(options.interpolator)
    tools = ToolsFactory(tuple(options.estimator), interpolators, not options.answers_only)
    engine = engine_from_name(options.engine, options.workers)
    with tqdm(unit="pair", dynamic_ncols=True) as bar:
        answered = 0

        def on_row(row: Mapping[str, Any], done: int, of: int) -> None:
            nonlocal answered
            answered += row["answered"]
            if bar.total is None:
                bar.reset(of)
                bar.initial = done - 1
                bar.n = done - 1
            bar.set_postfix_str(f"{answered} answered", refresh=False)
            bar.update()

        summary = evaluate(pairs, options.out, RunSettings(config, tools), engine, on_row)
    print(summary_text(summary))
    print(f"\n{options.out / 'summary.json'} has all figures, {options.out / 'rows.jsonl'} every pair")


def report_run(options: argparse.Namespace) -> None:
    """Write report.html into the folder of a run, and a 3D recording where one is asked for.

    Raises:
        ValueError: the recording needs a package that is not installed.
    """
    from interpose_ros.evaluation.report.write import write_report

    print(write_report(options.out))
    if options.rerun:
        from interpose_ros.evaluation.report.rerun_recording import write_recording
        from interpose_ros.evaluation.report.run_folder import read_run

        write_recording(read_run(options.out), options.rerun)
        print(options.rerun)


def _evaluate(options: argparse.Namespace) -> int:
    run_pair_file(options.pairs, options)
    report_run(options)
    return EXIT_OK
