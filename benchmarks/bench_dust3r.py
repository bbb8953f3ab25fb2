"""DUSt3R: this project's network and alignment against the reference implementation, in one process.

What is compared, and how, stands in docs/dust3r.md. The reference is installed by tools/parity.sh; it is never imported
by the package. Writes JSON.

    python benchmarks/bench_dust3r.py --reference out/parity/reference --out out/bench/dust3r.json
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from interpose_ros.config import Dust3rInferenceConfig
from interpose_ros.dust3r.alignment import align_subsets
from interpose_ros.dust3r.compilation import compile_blocks
from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.cpu import pack_for_cpu
from interpose_ros.dust3r.inference import PairPredictions, complete_pairs, predict_pairs
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.preprocess import PreparedView
from interpose_ros.dust3r.synthetic import (
    REALISTIC_FAULTS,
    DepthView,
    box_room_depth,
    furnished_room,
    looking_pose,
    predict_from_depth,
    true_pose,
)
from interpose_ros.geometry.camera import Camera
from interpose_ros.geometry.distances import rotation_distance
from interpose_ros.views import KeyframeId, View

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "parity"))
import dust3r_reference  # noqa: E402  (lies beside the parity tests)

CLIPS, SUBSETS, BETWEEN = 4, 11, 3
FULL = NetworkConfig(img_size=(224, 224), head_type="linear")
SMALL = NetworkConfig(
    img_size=(224, 224), head_type="linear", enc_embed_dim=128, enc_depth=6, enc_num_heads=2, dec_embed_dim=128,
    dec_depth=4, dec_num_heads=2,
)  # fmt: skip
ENCODE, DECODE = 303.1, 227.6
"""Parameters in millions, each used once per token: encoder, and both decoders with their heads."""

REFERENCE_BATCH = 8
"""The reference's default batch; larger ones gain nothing on a CPU."""


def main() -> None:
    """Run all measurements and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, default=ROOT / "out" / "parity" / "reference")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench" / "dust3r.json")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median counts")
    parser.add_argument("--subsets-per-clip", type=int, default=SUBSETS, help="fewer for a quick look only")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile as well")
    parser.add_argument("--alignment-side", type=int, default=80, help="side in pixels of the pointmaps with truth")
    arguments = parser.parse_args()
    if not (arguments.reference / "mini_dust3r").is_dir():
        parser.error(f"no reference in {arguments.reference}; tools/parity.sh installs it after showing its licence")
    os.environ[dust3r_reference.ENVIRONMENT_VARIABLE] = str(arguments.reference)
    warnings.simplefilter("ignore")
    bench = Bench(arguments.device, arguments.repeats)
    began = time.perf_counter()
    report: dict[str, Any] = {"pair": bench.pair()}
    print(json.dumps(report["pair"]), flush=True)
    if arguments.compile:
        report["compiled"] = bench.compiled()
    report |= bench.sets(arguments.subsets_per_clip, arguments.alignment_side)
    report["environment"] = environment(arguments.device, time.perf_counter() - began)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


@dataclass(frozen=True)
class Networks:
    """The reference's network and ours, with the same random weights."""

    reference: nn.Module
    ours: Dust3rNetwork


class Bench:
    """Measurements on one device."""

    def __init__(self, device: str, repeats: int) -> None:
        self._device = device
        self._repeats = repeats
        with contextlib.redirect_stdout(io.StringIO()):
            self._inference = dust3r_reference.load_reference("inference").inference
            self._make_pairs = dust3r_reference.load_reference("image_pairs").make_pairs
            cloud = dust3r_reference.load_reference("cloud_opt")
        self._aligner, self._mode = cloud.global_aligner, cloud.GlobalAlignerMode.PointCloudOptimizer

    def networks(self, config: NetworkConfig) -> Networks:
        """Both networks; ours as the estimator runs it."""
        torch.manual_seed(0)
        reference = dust3r_reference.build_reference(config).to(self._device)
        ours = Dust3rNetwork(config).eval().requires_grad_(False).to(self._device)
        state = reference.state_dict()
        ours.load_state_dict({name: state[name] for name in ours.state_dict()})
        return Networks(reference, pack_for_cpu(ours))

    def pair(self) -> dict[str, Any]:
        """One pair, full size, both orders."""
        networks = self.networks(FULL)
        views = random_views(2)
        pairs = self._make_pairs(as_reference_images(views), scene_graph="complete", symmetrize=True)

        def ours() -> None:
            predict_pairs(networks.ours, views, complete_pairs(range(2)))

        def reference() -> None:
            self._reference(pairs, networks.reference)

        def reference_singly() -> None:
            self._reference(pairs, networks.reference, batch=1)

        seconds = self._alternate({"ours": ours, "reference": reference, "reference_batch_1": reference_singly})
        memory = {"ours": self._peak_memory(ours), "reference": self._peak_memory(reference)}
        self._units = self._unit_times(networks)
        return {
            "speedup": seconds["reference"] / seconds["ours"],
            "speedup_over_batch_1": seconds["reference_batch_1"] / seconds["ours"],
            "seconds": seconds,
            "peak_megabytes": memory,
            "unit_seconds": self._units,
        }

    def compiled(self) -> dict[str, Any]:
        """Our network with and without ``torch.compile``, one pair at full size in both orders."""
        plain = self.networks(FULL).ours
        blocks = Dust3rNetwork(FULL).eval().requires_grad_(False).to(self._device)
        compiled = compile_blocks(blocks)
        views = random_views(2)
        seconds = self._alternate(
            {
                "plain": lambda: discard(predict_pairs(plain, views, complete_pairs(range(2)))),
                "compiled": lambda: discard(predict_pairs(compiled, views, complete_pairs(range(2)))),
            }
        )
        return {"speedup": seconds["plain"] / seconds["compiled"], "seconds": seconds}

    def _unit_times(self, networks: Networks) -> dict[str, float]:
        """Seconds per directed pair of the reference, and per image and per directed pair of ours, in full batches."""
        views = random_views(5)
        pairs = self._make_pairs(as_reference_images(views), scene_graph="complete", symmetrize=True)
        batch = pairs[:REFERENCE_BATCH]
        ours_pairs = complete_pairs(range(5))[:REFERENCE_BATCH]

        def encode_and_decode() -> None:
            predict_pairs(networks.ours, views, ours_pairs)

        def encode_only() -> None:
            with torch.inference_mode():
                images = torch.stack([v.as_tensor() for v in views]).to(self._device)
                networks.ours.encode(images)

        seconds = self._alternate(
            {
                "reference": lambda: self._reference(batch, networks.reference),
                "both": encode_and_decode,
                "encode": encode_only,
            }
        )
        used = len({i for pair in ours_pairs for i in pair})
        encode = seconds["encode"] / len(views)
        return {
            "reference_pair": seconds["reference"] / len(batch),
            "ours_encode": encode,
            "ours_decode": (seconds["both"] - used * encode) / len(ours_pairs),
        }

    def sets(self, subsets_per_clip: int, side: int) -> dict[str, Any]:
        """The pose stage of one keyframe pair, with random subsets, with a shared grid, with chosen frames."""
        plan14, plan79 = Plan.random(14, subsets_per_clip), Plan.random(79, subsets_per_clip)
        grid, chosen_count = Plan.grid(14, subsets_per_clip), 6
        network = self._small_network(plan14)
        print(json.dumps(network), flush=True)
        scene = clip_scene(np.random.default_rng(0), 14, side)
        everything = [pair for clip in range(CLIPS) for pair in complete_pairs(clip_views(clip, 14))]
        predictions = predict_from_depth(scene, everything, REALISTIC_FAULTS, np.random.default_rng(1))
        random_result = self._align_both(scene, predictions, plan14.subsets)
        print(json.dumps(random_result), flush=True)
        grid_result = self._align_ours(scene, predictions, grid.subsets)
        chosen = [[0, *frames_seen_by_both(scene, chosen_count), 1]]
        chosen_result = self._align_ours(scene, predictions, chosen)
        reference_network = plan14.directed * self._units["reference_pair"]
        reference_total = reference_network + random_result["seconds"]["reference"]

        def full_size(plan: Plan) -> float:
            return plan.images * self._units["ours_encode"] + plan.pairs * self._units["ours_decode"]

        def against_reference(plan: Plan, result: dict[str, Any]) -> dict[str, Any]:
            return {
                "speedup": reference_total / (full_size(plan) + result["seconds"]),
                "speedup_network_full": reference_network / full_size(plan),
                "rotation_error_deg": result["rotation_error_deg"],
                "images": plan.images,
                "pairs": plan.pairs,
            }

        seconds = random_result["seconds"]
        return {
            "stage": {
                "speedup": (network["seconds"]["reference"] + seconds["reference"])
                / (network["seconds"]["ours"] + seconds["ours"]),
                "speedup_network_small": network["seconds"]["reference"] / network["seconds"]["ours"],
                "speedup_network_full_14": reference_network / full_size(plan14),
                "speedup_network_full_79": plan79.directed * self._units["reference_pair"] / full_size(plan79),
                "arithmetic_ratio_full_14": plan14.arithmetic_ratio(),
                "arithmetic_ratio_full_79": plan79.arithmetic_ratio(),
                "speedup_alignment": seconds["reference"] / seconds["ours"],
                "max_relative_error": network["max_relative_error"],
                "rotation_error_deg": random_result["rotation_error_deg"],
                "seconds_network_small": network["seconds"],
                "seconds_alignment": seconds,
                "counts": {"14": plan14.counts(), "79": plan79.counts()},
            },
            "grid": against_reference(grid, grid_result),
            "feature_match": against_reference(Plan(chosen), chosen_result),
        }

    def _small_network(self, plan: Plan) -> dict[str, Any]:
        """All subsets through both networks, at a size at which the reference finishes; and whether they agree."""
        networks = self.networks(SMALL)
        views = random_views(2 + CLIPS * 14)
        settings = Dust3rInferenceConfig(stride=1, memory_megabytes=16384)
        start = self._now()
        predictions = predict_pairs(networks.ours, views, plan.all_pairs, settings)
        ours = self._now() - start
        reference = 0.0
        error = 0.0
        for subset in plan.subsets:
            images = as_reference_images([views[k] for k in subset])
            start = self._now()
            output = self._reference(
                self._make_pairs(images, scene_graph="complete", symmetrize=True), networks.reference
            )
            reference += self._now() - start
            error = max(error, largest_difference(output, predictions, subset))
        return {"seconds": {"ours": ours, "reference": reference}, "max_relative_error": error}

    def _align_both(
        self, scene: list[DepthView], predictions: PairPredictions, subsets: list[list[int]]
    ) -> dict[str, Any]:
        ours = self._align_ours(scene, predictions, subsets)
        errors = []
        reference = 0.0
        for subset in subsets:
            output = as_reference_output(predictions, subset)
            start = self._now()
            poses = self._align_reference(output, [scene[k].camera.focal_length for k in subset])
            reference += self._now() - start
            errors.append(rotation_error(np.linalg.inv(poses[-1]) @ poses[0], scene, subset))
        return {
            "seconds": {"ours": ours["seconds"], "reference": reference},
            "rotation_error_deg": {"ours": ours["rotation_error_deg"], "reference": float(np.mean(errors))},
        }

    def _align_ours(
        self, scene: list[DepthView], predictions: PairPredictions, subsets: list[list[int]]
    ) -> dict[str, Any]:
        times = []
        for _ in range(self._repeats):
            start = self._now()
            results = align_subsets(predictions, subsets)
            times.append(self._now() - start)
        errors = [rotation_error(result.pose(-1), scene, list(result.views)) for result in results]
        return {"seconds": statistics.median(times), "rotation_error_deg": float(np.mean(errors))}

    def _align_reference(self, output: dict[str, Any], focals: list[float]) -> np.ndarray:
        """Camera-to-world poses with the documented settings, intrinsics given."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            scene = self._aligner(output, device=self._device, mode=self._mode, verbose=False)
            scene.preset_focal(focals)
            scene.compute_global_alignment(init="mst", niter=300, schedule="cosine", lr=0.01)
        return scene.get_im_poses().detach().cpu().numpy().astype(np.float64)

    def _reference(self, pairs: list, network: nn.Module, batch: int = REFERENCE_BATCH) -> dict[str, Any]:
        with contextlib.redirect_stdout(io.StringIO()):
            return self._inference(pairs, network, self._device, batch_size=batch, verbose=False)

    def _now(self) -> float:
        if self._device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _alternate(self, runs: dict[str, Callable[[], None]]) -> dict[str, float]:
        """Median seconds of each; taken in turns, so that a busy moment of the machine meets all of them."""
        times: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            run()
        for _ in range(self._repeats):
            for name, run in runs.items():
                start = self._now()
                run()
                times[name].append(self._now() - start)
        return {name: statistics.median(values) for name, values in times.items()}

    def _peak_memory(self, run: Callable[[], None]) -> float:
        """Megabytes that a run takes at its peak beyond what was there before."""
        gc.collect()
        if self._device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            run()
            return (torch.cuda.max_memory_allocated() - before) / 2**20
        # The resident size says nothing once earlier runs have grown the process: allocations are counted instead.
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            run()
        events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
        held = peak = 0
        for event in sorted(events, key=lambda e: e.start_ns()):
            held += event.nbytes()
            peak = max(peak, held)
        return peak / 2**20


class Plan:
    """Which subsets are run. View 0 is A, view 1 is B, clip c has the views from ``2 + c * frames``."""

    def __init__(self, subsets: list[list[int]]) -> None:
        self.subsets = subsets
        self.all_pairs = sorted({pair for subset in subsets for pair in complete_pairs(subset)})
        self.pairs = len(self.all_pairs)
        self.images = len({view for subset in subsets for view in subset})
        self.directed = sum(len(subset) * (len(subset) - 1) for subset in subsets)

    @classmethod
    def random(cls, frames: int, count: int) -> Plan:
        """Random frames of each clip, and the uniform ones last."""
        rng = np.random.default_rng(frames)
        subsets = []
        for clip in range(CLIPS):
            first = 2 + clip * frames
            for _ in range(count - 1):
                subsets.append([0, *(first + np.sort(rng.choice(frames, BETWEEN, replace=False))).tolist(), 1])
            uniform = np.rint(np.linspace(-1, frames, BETWEEN + 2)).astype(int)[1:-1]
            subsets.append([0, *(first + uniform).tolist(), 1])
        return cls(subsets)

    @classmethod
    def grid(cls, frames: int, count: int) -> Plan:
        """The same number of different subsets, from five frames of each clip that all of them share."""
        subsets = []
        for clip in range(CLIPS):
            shared = 2 + clip * frames + np.rint(np.linspace(-1, frames, 7)).astype(int)[1:-1]
            triples = [[a, b, c] for a in range(5) for b in range(a + 1, 5) for c in range(b + 1, 5)]
            # Ten triples; the eleventh subset takes all five.
            chosen = [*triples, list(range(5))][:count]
            subsets += [[0, *shared[positions].tolist(), 1] for positions in chosen]
        return cls(subsets)

    def arithmetic_ratio(self) -> float:
        """Multiplications of the reference over ours: the speed-up at equal efficiency."""
        return self.directed * (2 * ENCODE + DECODE) / (self.images * ENCODE + self.pairs * DECODE)

    def counts(self) -> dict[str, int]:
        """Forward passes: ours, and directed pairs of the reference."""
        return {"images": self.images, "pairs": self.pairs, "reference_pairs": self.directed}


def clip_views(clip: int, frames: int) -> list[int]:
    """Numbers of the keyframes and of one clip's frames."""
    first = 2 + clip * frames
    return [0, 1, *range(first, first + frames)]


def clip_scene(rng: np.random.Generator, frames: int, side: int) -> list[DepthView]:
    """Two keyframes 60 degrees apart in a room, and four clips that go from one to the other on different paths."""
    room = furnished_room(rng)
    focal = 0.5 * side / np.tan(np.radians(35.0))
    camera = Camera(np.array([[focal, 0, 0.5 * (side - 1)], [0, focal, 0.5 * (side - 1)], [0, 0, 1.0]]), side, side)
    start, end, yaw = np.array([-0.5, -0.3, 0.0]), np.array([0.5, 0.2, 0.1]), np.radians(60.0)

    def view(share: float, bend: np.ndarray) -> DepthView:
        position = start + share * (end - start) + np.sin(np.pi * share) * bend
        pose = looking_pose(position, share * yaw, 0.1)
        return DepthView(box_room_depth(camera, pose, room), camera, pose)

    views = [view(0.0, np.zeros(3)), view(1.0, np.zeros(3))]
    for _ in range(CLIPS):
        bend = rng.uniform(-0.3, 0.3, 3) * [1.0, 1.0, 0.3]
        views += [view(share, bend) for share in np.linspace(0, 1, frames + 2)[1:-1]]
    return views


def frames_seen_by_both(scene: list[DepthView], count: int) -> list[int]:
    """Frames of the first clip whose view directions lie best between both keyframes, as matches would choose them."""
    frames = clip_views(0, 14)[2:]

    def turn(k: int, keyframe: int) -> float:
        T = true_pose(scene[k], scene[keyframe])
        return float(rotation_distance(T[None, :3, :3], np.eye(3)[None])[0])

    return sorted(sorted(frames, key=lambda k: max(turn(k, 0), turn(k, 1)))[:count])


def discard(result: object) -> None:
    """For runs of which only the time counts."""
    del result


def random_views(count: int, side: int = 224) -> list[PreparedView]:
    """Images of noise."""
    rng = np.random.default_rng(0)
    camera = Camera(np.array([[200, 0, 0.5 * side], [0, 200, 0.5 * side], [0, 0, 1.0]]), side, side)
    views = []
    for k in range(count):
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        views.append(PreparedView(View(pixels, camera, KeyframeId("camera", k)), pixels, camera))
    return views


def as_reference_images(views: Sequence[PreparedView]) -> list[dict[str, Any]]:
    """Images as the reference's loader gives them."""
    return [
        {
            "img": view.as_tensor()[None],
            "true_shape": np.int32([view.pixels.shape[:2]]),
            "idx": k,
            "instance": str(k),
        }
        for k, view in enumerate(views)
    ]


def as_reference_output(predictions: PairPredictions, subset: Sequence[int]) -> dict[str, Any]:
    """Known pointmaps as the reference's network would have given them, pairs in its order."""
    n = len(subset)
    order = [(i, j) for i in range(n) for j in range(i)]
    order += [(j, i) for i, j in order]
    maps = [predictions[subset[i], subset[j]] for i, j in order]
    height, width = maps[0].confidence_first.shape

    def view(numbers: list[int]) -> dict[str, Any]:
        return {
            "img": torch.zeros(len(numbers), 3, height, width),
            "true_shape": torch.tensor([[height, width]] * len(numbers), dtype=torch.int32),
            "idx": numbers,
            "instance": [str(k) for k in numbers],
        }

    return {
        "view1": view([i for i, _ in order]),
        "view2": view([j for _, j in order]),
        "pred1": {
            "pts3d": torch.stack([m.points_first for m in maps]),
            "conf": torch.stack([m.confidence_first for m in maps]),
        },
        "pred2": {
            "pts3d_in_other_view": torch.stack([m.points_second for m in maps]),
            "conf": torch.stack([m.confidence_second for m in maps]),
        },
        "loss": None,
    }


def largest_difference(output: dict[str, Any], predictions: PairPredictions, subset: Sequence[int]) -> float:
    """Largest distance between both networks' points over the pointmap's root mean square length."""
    worst = 0.0
    for row, (i, j) in enumerate(zip(output["view1"]["idx"], output["view2"]["idx"], strict=True)):
        maps = predictions[subset[int(i)], subset[int(j)]]
        for mine, theirs in (
            (maps.points_first, output["pred1"]["pts3d"][row]),
            (maps.points_second, output["pred2"]["pts3d_in_other_view"][row]),
        ):
            scale = theirs.square().sum(-1).mean().sqrt()
            worst = max(worst, float((mine.cpu() - theirs.cpu()).norm(dim=-1).max() / scale))
    return worst


def rotation_error(T_b_a: np.ndarray, scene: list[DepthView], subset: Sequence[int]) -> float:
    """Degrees between a pose of the last view and the truth."""
    truth = true_pose(scene[subset[0]], scene[subset[-1]])
    return float(np.degrees(rotation_distance(T_b_a[None, :3, :3], truth[None, :3, :3])[0]))


def environment(device: str, seconds: float) -> dict[str, Any]:
    """What the numbers were taken on."""
    processor = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "device": torch.cuda.get_device_name() if device != "cpu" else processor,
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
