"""`make demo`: a real bag in, transforms out, compared with the truth.

Two nodes run as processes of their own and hear the same bag, which a third process plays: one with the camera stream as
frames in between, one without (``use_frames: false``). This process listens to /tf and ``~/relative_pose``. Writes
``results.json`` and ``report.html``. Exit status 1 when the required figures do not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from interpose_ros.evaluation.drive_report import (
    ATTRIBUTION,
    CAVEAT,
    figures_text,
    report_html,
    results,
    table_text,
    write_results,
)
from interpose_ros.evaluation.figures import figures_with_frames, figures_without_frames
from interpose_ros.evaluation.pairs import PairRecord, compared
from interpose_ros.evaluation.recorded_truth import RecordedDrive, read_recorded_drive
from interpose_ros.evaluation.thinning import thinning_curve, thinning_html, thinning_text
from interpose_ros.ros.bag_player import positive
from interpose_ros.ros.demo_domain import own_domain
from interpose_ros.ros.demo_listener import DemoListener, outcome_from_message
from interpose_ros.ros.demo_positions import (
    Pair,
    Pose,
    length_summary,
    odometry_alone,
    placed_keyframes,
    position_errors,
)
from interpose_ros.ros.demo_run import THREADS, DemoError, NodeSettings, listen_to_drive

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo."""
    for name, value in THREADS.items():  # before the networks' library is imported, which reads it once
        os.environ.setdefault(name, value)
    arguments = _arguments(argv)
    with own_domain() as domain:
        print(f"{CAVEAT} {ATTRIBUTION}\nROS_DOMAIN_ID={domain}", flush=True)
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    begin = time.monotonic()
    try:
        drive = read_recorded_drive(arguments.bag)
    except ValueError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    pairs = len(drive.jpegs) * (len(drive.jpegs) - 1) // 2
    out: Path = arguments.out
    nodes = [
        NodeSettings("interpose", {}, out / "node.log"),
        NodeSettings(
            "interpose_without_frames", {"use_frames": False, "publish_tf": False}, out / "node_without_frames.log"
        ),
    ]
    try:
        heard, withheld = listen_to_drive(arguments.bag, nodes, pairs, arguments.rate, arguments.patience)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1

    with_frames, without_frames = _records(heard, drive), _records(withheld, drive)
    placed = placed_keyframes(heard.answers, heard.tf_edges, drive.truth)
    figures = {
        "with the frames in between": figures_with_frames(list(with_frames.values())),
        "frames in between withheld": figures_without_frames(list(without_frames.values())),
    }
    from interpose_ros.ros.demo_pictures import picture_sections
    from interpose_ros.ros.demo_thinning import pipeline_without_second_networks, records_with_fewer_frames
    from interpose_ros.ros.demo_views import DriveViews

    views, pipeline = DriveViews.of(drive), pipeline_without_second_networks()
    curve = thinning_curve(records_with_fewer_frames(pipeline, views, drive, with_frames))
    summary = {
        "pairs_expected": pairs,
        "pairs_answered": len(heard.answers),
        "pairs_answered_without_frames": len(withheld.answers),
        "fewer_frames": curve,
        **_metric_summary(heard, placed, drive),
    }
    lists = list(with_frames.values()), list(without_frames.values())
    sections = [("Fewer frames in between", thinning_html(curve))]
    sections += picture_sections(drive, views, pipeline, with_frames, placed)
    summary["seconds"] = time.monotonic() - begin
    write_results(out / "results.json", results(*lists, figures, summary))
    (out / "report.html").write_text(report_html(*lists, figures, sections))

    print(f"\nwith the frames in between\n{table_text(lists[0])}")
    print(f"\nframes in between withheld\n{table_text(lists[1])}\n\n{thinning_text(curve)}")
    print(f"\n{_metric_text(summary)}\n\n{figures_text(figures)}")
    failures = _failures(pairs, *lists)
    print("".join(f"FAILS: {failure}\n" for failure in failures))
    print(f"{out / 'results.json'}\n{out / 'report.html'}\n{summary['seconds']:.0f} s in all")
    return 0 if all(figure.holds for group in figures.values() for figure in group) and not failures else 1


def _failures(pairs: int, with_frames: Sequence[PairRecord], without_frames: Sequence[PairRecord]) -> list[str]:
    """What makes the figures void."""
    failures = []
    unanswered = [pairs - len(records) for records in (with_frames, without_frames)]
    if any(unanswered):
        failures.append(f"{unanswered[0]} pairs with and {unanswered[1]} without frames were never answered")
    leaked = sum(record.branch == "frames" for record in without_frames)
    if leaked:
        failures.append(f"{leaked} answers of the run without frames rest on frames in between")
    return failures


def _records(heard: DemoListener, drive: RecordedDrive) -> dict[Pair, PairRecord]:
    """Answers about images of the bag beside the truth, by stamps."""
    known = [stamps for stamps in sorted(heard.answers) if set(stamps) <= set(drive.jpegs)]
    return {stamps: compared(outcome_from_message(heard.answers[stamps]), drive.truth) for stamps in known}


def _metric_summary(heard: DemoListener, placed: Mapping[int, Pose], drive: RecordedDrive) -> dict[str, object]:
    """Lengths, and how far the keyframes chained through /tf are from where they were; odometry alone beside them."""
    errors = position_errors(placed, drive.truth)
    drifted = position_errors(odometry_alone(drive), drive.truth)
    return {
        "lengths": length_summary(heard.answers, drive.truth),
        "tf_edges": len(heard.tf_edges),
        "keyframes_placed_through_tf": len(placed),
        "median_position_error_m": float(np.median(errors)) if errors else None,
        "largest_position_error_m": max(errors) if errors else None,
        "odometry_alone_median_position_error_m": float(np.median(drifted)) if drifted else None,
        "odometry_alone_largest_position_error_m": max(drifted) if drifted else None,
    }


def _metric_text(summary: Mapping[str, object]) -> str:
    lengths = summary["lengths"]
    assert isinstance(lengths, Mapping)
    return (
        f"lengths from odometry: {lengths['with_length']} of {lengths['answers']} answers, median error "
        f"{_number(lengths['median_relative_error'], 100)} %, largest {_number(lengths['largest_relative_error'], 100)} %\n"
        f"positions through /tf: {summary['keyframes_placed_through_tf']} keyframes, median error "
        f"{_number(summary['median_position_error_m'])} m, largest {_number(summary['largest_position_error_m'])} m\n"
        f"odometry alone: median {_number(summary['odometry_alone_median_position_error_m'])} m, largest "
        f"{_number(summary['odometry_alone_largest_position_error_m'])} m"
    )


def _number(value: object, factor: float = 1.0) -> str:
    return f"{factor * value:.2f}" if isinstance(value, float) else "-"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="A recorded drive, compared with the truth.")
    parser.add_argument("--bag", type=Path, default=ROOT / "data/fr3_office_1hz")
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--rate", type=positive, default=4.0, help="times the recorded speed (default: 4)")
    parser.add_argument(
        "--patience", type=positive, default=120.0, metavar="SECONDS", help="longest wait for the next answer"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
