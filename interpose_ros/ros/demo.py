"""`make demo`: a real bag in, transforms out, compared with the truth.

The node runs as a process of its own, the bag is played by another; this one only listens to /tf and
``~/relative_pose``. The bag is played twice: with the camera stream as frames in between, and with those withheld.
Writes ``results.json`` and ``report.html``. Exit status 1 when the required figures do not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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
from interpose_ros.ros.bag_player import positive
from interpose_ros.ros.demo_domain import own_domain
from interpose_ros.ros.demo_listener import DemoListener, outcome_from_message
from interpose_ros.ros.demo_pictures import picture_sections
from interpose_ros.ros.demo_positions import PlacedKeyframes, placed_keyframes
from interpose_ros.ros.demo_run import DemoError, listen_to_drive

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_FRAMES = {"stream_megabytes": 0.0, "decision.min_bridge_inliers": 10**9}
"""No answer may rest on frames in between: neither on stream frames nor on the other keyframes, which the node takes for
frames in between as well. What the two images alone say is decided before any frame is looked at, so it is unchanged."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo."""
    arguments = _arguments(argv)
    with own_domain() as domain:
        print(f"{CAVEAT} {ATTRIBUTION}\nROS_DOMAIN_ID={domain}", flush=True)
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    drive = read_recorded_drive(arguments.bag)
    pairs = len(drive.jpegs) * (len(drive.jpegs) - 1) // 2
    out: Path = arguments.out
    try:
        heard = listen_to_drive(
            arguments.bag, pairs, arguments.rate, {}, out / "node.log", "with frames", arguments.patience
        )
        withheld = listen_to_drive(
            arguments.bag, pairs, arguments.rate, WITHOUT_FRAMES, out / "node_without_frames.log", "without frames",
            arguments.patience,
        )  # fmt: skip
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1

    with_frames, without_frames = _records(heard, drive), _records(withheld, drive)
    placed = placed_keyframes(heard.answers, heard.tf_edges, drive.truth)
    figures = {
        "with the frames in between": figures_with_frames(with_frames),
        "frames in between withheld": figures_without_frames(without_frames),
    }
    content = results(
        with_frames, without_frames, figures, _tf_summary(heard, placed, drive, pairs, len(without_frames))
    )
    write_results(out / "results.json", content)
    page = report_html(with_frames, without_frames, figures, picture_sections(drive, with_frames, placed))
    (out / "report.html").write_text(page)

    print(f"\nwith the frames in between\n{table_text(with_frames)}")
    print(f"\nframes in between withheld\n{table_text(without_frames)}\n\n{figures_text(figures)}")
    unanswered = [pairs - len(records) for records in (with_frames, without_frames)]
    if any(unanswered):
        print(f"FAILS: {unanswered[0]} pairs with and {unanswered[1]} without frames were never answered")
    leaked = sum(record.branch == "frames" for record in without_frames)
    if leaked:
        print(f"FAILS: {leaked} answers of the run without frames rest on frames in between, its figures are void")
    print(f"\n{out / 'results.json'}\n{out / 'report.html'}")
    hold = all(figure.holds for group in figures.values() for figure in group)
    return 0 if hold and not any(unanswered) and not leaked else 1


def _records(heard: DemoListener, drive: RecordedDrive) -> list[PairRecord]:
    """Answers about images of the bag beside the truth, by stamps."""
    known = [stamps for stamps in sorted(heard.answers) if set(stamps) <= set(drive.jpegs)]
    return [compared(outcome_from_message(heard.answers[stamps]), drive.truth) for stamps in known]


def _tf_summary(
    heard: DemoListener, placed: PlacedKeyframes, drive: RecordedDrive, pairs: int, answered_without_frames: int
) -> dict[str, object]:
    """What was heard, and how far the keyframes chained through /tf are from where they were."""
    errors = [
        float(np.linalg.norm(T_world_camera[:3, 3] - true[:3, 3]))
        for stamp, T_world_camera in placed.T_world_camera.items()
        if (true := drive.truth.pose_at(stamp)) is not None
    ]
    return {
        "pairs_expected": pairs,
        "pairs_answered": len(heard.answers),
        "pairs_answered_without_frames": answered_without_frames,
        "tf_edges": len(heard.tf_edges),
        "keyframes_placed_through_tf": len(placed.T_world_camera),
        "tf_lengths_from_truth": placed.true_lengths,
        "median_position_error_m": float(np.median(errors)) if errors else None,
        "largest_position_error_m": max(errors) if errors else None,
    }


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
