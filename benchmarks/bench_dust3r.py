"""DUSt3R: this project's network and alignment against the reference implementation, in one process.

What is compared, and how, stands in docs/dust3r.md. The reference is installed by tools/parity.sh; it is never imported
by the package. Progress goes to stderr; the JSON is written anew after every case.

    python benchmarks/bench_dust3r.py                      # everything
    python benchmarks/bench_dust3r.py --case pair grid     # some of it
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dust3r_bench.alignment import FRAMES, AlignmentBench
from dust3r_bench.measure import Meter
from dust3r_bench.network import NetworkBench
from dust3r_bench.plans import CLIPS, SUBSETS, Plan
from dust3r_bench.reference import Reference

ROOT = Path(__file__).resolve().parent.parent
LONG = 79
DEFAULT_CASES = ("pair", "stage", "grid", "feature_match")


def main() -> None:
    """Run the cases and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, default=ROOT / "out" / "parity" / "reference")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench" / "dust3r.json")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--case", nargs="+", choices=(*DEFAULT_CASES, "compiled", "bfloat16"), default=DEFAULT_CASES)
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--scenes", type=int, default=9, help="keyframe pairs over which errors are averaged")
    parser.add_argument("--subsets-per-clip", type=int, default=SUBSETS, help="fewer for a quick look only")
    parser.add_argument("--alignment-side", type=int, default=80, help="side in pixels of the pointmaps with truth")
    arguments = parser.parse_args()
    if not (arguments.reference / "mini_dust3r").is_dir():
        parser.error(f"no reference in {arguments.reference}; tools/parity.sh installs it after showing its licence")
    warnings.simplefilter("ignore")
    meter = Meter(arguments.device, arguments.repeats)
    cases = Cases(meter, Reference(arguments.reference, arguments.device), arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {}
    for name in arguments.case:
        report[name] = cases.run[name]()
        report["environment"] = meter.environment()
        arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        meter.say(f"{name} is done; {arguments.out}")
    print(json.dumps(report, indent=2))


class Cases:
    """The parts of the report; what one needs of another is measured when it is asked for, once."""

    def __init__(self, meter: Meter, reference: Reference, arguments: argparse.Namespace) -> None:
        count = arguments.subsets_per_clip
        self._plan, self._long, self._grid = (
            Plan.random(FRAMES, count),
            Plan.random(LONG, count),
            Plan.grid(FRAMES, count),
        )
        self._network = NetworkBench(meter, reference)
        self._alignment = AlignmentBench(
            meter, reference, self._plan, self._grid, arguments.scenes, arguments.alignment_side
        )
        self.run: dict[str, Callable[[], dict[str, Any]]] = {
            "pair": self._network.pair,
            "stage": self.stage,
            "grid": self.grid,
            "feature_match": self.feature_match,
            "compiled": self._network.compiled,
            "bfloat16": self._network.bfloat16,
        }

    def stage(self) -> dict[str, Any]:
        """The pose stage of one keyframe pair with random subsets."""
        network = self._network
        small = network.small(self._plan, 2 + CLIPS * FRAMES)
        aligned = {"ours": self._alignment.random["seconds"], "reference": self._alignment.reference["seconds"]}
        total = {side: small["seconds"][side] + aligned[side] for side in aligned}
        return {
            "speedup": total["reference"] / total["ours"],
            "speedup_network_small": small["seconds"]["reference"] / small["seconds"]["ours"],
            "speedup_network_full_14": self._full_ratio(self._plan),
            "speedup_network_full_79": self._full_ratio(self._long),
            "arithmetic_ratio_full_14": self._plan.arithmetic_ratio(),
            "arithmetic_ratio_full_79": self._long.arithmetic_ratio(),
            "speedup_alignment": aligned["reference"] / aligned["ours"],
            "max_relative_error": small["max_relative_error"],
            "rotation_error_deg": self._alignment.errors(self._alignment.random),
            "seconds_network_small": small["seconds"],
            "seconds_alignment": aligned,
            "counts": {"14": self._plan.counts(), "79": self._long.counts()},
        }

    def grid(self) -> dict[str, Any]:
        """Subsets from a grid of frames that they share."""
        return self._less_work(self._grid, self._alignment.grid, 0.0)

    def feature_match(self) -> dict[str, Any]:
        """One run over frames chosen by matches; the matching counts too."""
        chosen = self._alignment.chosen
        result = self._less_work(Plan([chosen["subset"]]), chosen, chosen["seconds_matching"])
        return {**result, "seconds_matching": chosen["seconds_matching"]}

    def _full_ratio(self, plan: Plan) -> float:
        return self._network.full_size_reference_seconds(plan) / self._network.full_size_seconds(plan)

    def _less_work(self, plan: Plan, aligned: dict[str, Any], further_seconds: float) -> dict[str, Any]:
        """Against the reference's whole recipe: network at full size and alignment."""
        reference = self._network.full_size_reference_seconds(self._plan)
        ours = self._network.full_size_seconds(plan)
        errors = self._alignment.errors(aligned)
        return {
            "speedup": (reference + self._alignment.reference["seconds"])
            / (ours + aligned["seconds"] + further_seconds),
            "speedup_network_full": reference / ours,
            "rotation_error_deg": errors["ours"],
            "rotation_error_deg_reference": errors["reference"],
            "rotation_error_deg_difference_95": errors["difference_95"],
            "solved_share": errors["solved_share"],
            "images": plan.images,
            "pairs": plan.pairs,
        }


if __name__ == "__main__":
    main()
