"""Choosing what to believe: one clip of true frames among distractors, on wide pairs with exact or measured poses.

The pairs are cut from panoramas (rotation alone) and taken from the desk sequence, both in ``data/``. What the clips are
and how each figure comes about stands in docs/selection.md. Progress goes to stderr.

    python benchmarks/bench_selection.py                   # the list that is reported
    python benchmarks/bench_selection.py --development     # the panoramas that thresholds were chosen on
    python benchmarks/bench_selection.py --full            # twice as many panorama pairs, every kind of distractor
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from selection_bench.cases import Case, desk_cases, panorama_cases
from selection_bench.distractors import HELD_OUT, clips_of
from selection_bench.report import report
from selection_bench.run import OURS, Bench, clip_record, rotation_difference_deg
from tqdm import tqdm

from interpose_ros.evaluation.run_record import environment

ROOT = Path(__file__).resolve().parent.parent
PAIRS_PER_PANORAMA = 8
DISTRACTORS, ALL_KINDS = 6, 11
"""Kinds of distractors beside each true clip: of the list that is reported, and of the full one."""


def main() -> None:
    """Run all pairs and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench" / "selection.json")
    parser.add_argument(
        "--full", action="store_true", help="twice as many pairs of every panorama, each with every kind"
    )
    parser.add_argument("--development", action="store_true", help="other panoramas, without the kinds held out")
    parser.add_argument("--pairs", type=int, help="only so many pairs per panorama, and of the desk")
    parser.add_argument("--scene", nargs="+", help="only these places, for example desk; the rest may be run apart")
    parser.add_argument(
        "--rows", type=Path, nargs="+", help="run nothing: one report of the rows that runs have written"
    )
    parser.add_argument("--processes", type=int, default=2, help="that work side by side, one thread each")
    arguments = parser.parse_args()
    if arguments.rows:
        rows = [row for path in arguments.rows for row in json.loads(path.read_text(encoding="utf-8"))]
        rows.sort(key=lambda row: row["number"])
    else:
        selected = Selected(arguments.data, arguments.development, arguments.pairs, arguments.full)
        rows = run(selected, arguments.scene, arguments.processes, arguments.out.with_suffix(".rows.json"))
    figures = report(rows)
    if not arguments.rows:  # of which nobody knows where they were made
        figures["environment"] = environment()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


def run(selected: Selected, scenes: list[str] | None, processes: int, out: Path) -> list[dict[str, Any]]:
    """The rows of all pairs, which are also written whenever there is another."""
    out.parent.mkdir(parents=True, exist_ok=True)
    places = [case.scene for case in selected.cases()]
    numbers = [number for number, place in enumerate(places) if scenes is None or place in scenes]
    numbers.sort(key=lambda number: places[:number].count(places[number]))  # all places in turn
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (selected,)) as workers:
        pending = [workers.submit(_row, number) for number in numbers]
        for done in tqdm(as_completed(pending), total=len(numbers), unit="pair", file=sys.stderr):
            rows.append(done.result())
            rows.sort(key=lambda row: row["number"])
            out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


@dataclass(frozen=True)
class Selected:
    """Which pairs are run."""

    data: Path
    development: bool
    pairs: int | None
    full: bool

    def cases(self) -> list[Case]:
        """The pairs, always in the same order."""
        return self.panorama() if self.development else [*self.panorama(), *self.desk()[: self.pairs]]

    def places(self) -> list[Case]:
        """Where foreign frames come from."""
        return [*self.panorama(), *self.desk()]

    def panorama(self) -> list[Case]:
        """Pairs cut from panoramas."""
        count = self.pairs if self.pairs is not None else PAIRS_PER_PANORAMA * (1 + self.full)
        return panorama_cases(self.data / "panoramas", self.development, count)

    def desk(self) -> list[Case]:
        """Pairs of the desk sequence."""
        return desk_cases(self.data / "fr3_office_1hz")


class _Worker:
    """What a process keeps: the pairs, and matches by part."""

    def __init__(self, selected: Selected) -> None:
        self.development, self.distractors = selected.development, ALL_KINDS if selected.full else DISTRACTORS
        self.cases, self.places = selected.cases(), selected.places()
        self.benches = {part: Bench(part) for part in sorted({case.part for case in self.cases})}


_worker: _Worker | None = None


def _start_worker(selected: Selected) -> None:
    global _worker  # noqa: PLW0603  # a process of a pool has no other place for what it keeps
    torch.set_num_threads(1)
    _worker = _Worker(selected)


def _row(number: int) -> dict[str, Any]:
    """Everything about one pair, as plain values."""
    assert _worker is not None
    case, start = _worker.cases[number], time.process_time()
    bench, before = _worker.benches[case.part], _worker.benches[case.part].matched
    clips = [
        c
        for c in clips_of(case, _worker.places, number, _worker.distractors)
        if not (_worker.development and c.kind in HELD_OUT)
    ]
    bench.begin_pair()
    lists = {"with_true": clips, "without_true": [clip for clip in clips if not clip.is_true]}
    outcomes: dict[str, dict[str, Any]] = {}
    published = bench.published(case, lists)
    judged: list[dict[str, Any]] = []
    difference = None
    for name, listed in lists.items():
        full, answer = bench.ours(case, listed, stop_early=False)
        anytime, early_answer = bench.ours(case, listed, stop_early=True)
        outcomes[name] = {
            **{selector: asdict(outcome) for selector, outcome in published[name].items()},
            OURS: asdict(full),
            "anytime": asdict(anytime),
        }
        if name == "with_true":
            judged = clip_record(answer, listed, case)
            difference = rotation_difference_deg(answer, early_answer)
    return {
        "number": number,
        "name": case.name,
        "scene": case.scene,
        "part": case.part,
        "moves": case.direction_b_a is not None,
        "kinds": [clip.kind for clip in clips],
        "outcomes": outcomes,
        "early_difference_deg": difference,
        "clips": judged,
        "image_pairs_matched": bench.matched - before,
        "cpu_seconds": time.process_time() - start,
    }


if __name__ == "__main__":
    main()
