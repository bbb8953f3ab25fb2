"""What the networks cost: one pair, unit times at full size, all subsets at a small size."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch

from dust3r_bench.measure import Meter
from dust3r_bench.plans import Plan
from dust3r_bench.reference import DEFAULT_BATCH, Networks, Reference, largest_difference
from dust3r_bench.scenes import random_views
from interpose_ros.config import Dust3rInferenceConfig
from interpose_ros.dust3r.compilation import compile_blocks
from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.cpu import PackedLinear
from interpose_ros.dust3r.inference import complete_pairs, predict_pairs
from interpose_ros.dust3r.network import Dust3rNetwork

FULL = NetworkConfig(img_size=(224, 224), head_type="linear")
SMALL = NetworkConfig(
    img_size=(224, 224), head_type="linear", enc_embed_dim=128, enc_depth=6, enc_num_heads=2, dec_embed_dim=128,
    dec_depth=4, dec_num_heads=2,
)  # fmt: skip


class NetworkBench:
    """Both networks with random weights. What several cases need is measured once."""

    def __init__(self, meter: Meter, reference: Reference) -> None:
        self._meter, self._reference = meter, reference

    @cached_property
    def _full(self) -> Networks:
        return self._reference.networks(FULL)

    def pair(self) -> dict[str, Any]:
        """One pair, full size, both orders."""
        self._meter.say("one pair at full size")
        views = random_views(2)
        pairs = self._reference.complete_pairs(views)
        runs = {
            "ours": lambda: predict_pairs(self._full.ours, views, complete_pairs(range(2))),
            "reference": lambda: self._reference.run(pairs, self._full.reference),
            "reference_batch_1": lambda: self._reference.run(pairs, self._full.reference, batch=1),
        }
        seconds = self._meter.in_turns(runs)
        result = {
            "speedup": seconds["reference"] / seconds["ours"],
            "speedup_over_batch_1": seconds["reference_batch_1"] / seconds["ours"],
            "seconds": seconds,
            "peak_megabytes": {name: self._meter.peak_megabytes(runs[name]) for name in ("ours", "reference")},
            "unit_seconds": self.unit_seconds,
        }
        if self._meter.device == "cpu":
            floor = self._linear_layers_alone()
            result["linear_layers_alone_seconds"] = floor
            # What would be left if everything but the matrix products cost nothing.
            result["speedup_ceiling"] = seconds["reference"] / floor
        return result

    def compiled(self) -> dict[str, Any]:
        """Our network with and without ``torch.compile``, one pair at full size in both orders."""
        self._meter.say("torch.compile")
        network = Dust3rNetwork(FULL).eval().requires_grad_(False).to(self._meter.device)
        compiled = compile_blocks(network)
        return self._against_full(lambda views: predict_pairs(compiled, views, complete_pairs(range(2))), "compiled")

    def bfloat16(self) -> dict[str, Any]:
        """Our network in bfloat16 against itself in float32."""
        self._meter.say("bfloat16")
        network = Dust3rNetwork(FULL).eval().requires_grad_(False)
        network = network.set_compute_dtype(torch.bfloat16).to(self._meter.device)
        return self._against_full(lambda views: predict_pairs(network, views, complete_pairs(range(2))), "bfloat16")

    def _against_full(self, run: Any, name: str) -> dict[str, Any]:
        views = random_views(2)
        seconds = self._meter.in_turns(
            {
                "plain": lambda: predict_pairs(self._full.ours, views, complete_pairs(range(2))),
                name: lambda: run(views),
            }
        )
        return {"speedup": seconds["plain"] / seconds[name], "seconds": seconds}

    def _linear_layers_alone(self) -> float:
        """Seconds that the packed matrix products of one pair in both orders take by themselves."""
        self._meter.say("matrix products alone")
        tokens = 2 * (FULL.img_size[0] // FULL.patch_size) ** 2
        layers = [m for m in self._full.ours.modules() if isinstance(m, PackedLinear)]
        inputs = {width: torch.randn(tokens, width) for width in {layer.in_features for layer in layers}}

        def run() -> None:
            with torch.inference_mode():
                for layer in layers:
                    layer(inputs[layer.in_features])

        return self._meter.in_turns({"matrix products": run})["matrix products"]

    @cached_property
    def unit_seconds(self) -> dict[str, float]:
        """Seconds per directed pair of the reference, and per image and per directed pair of ours, in full batches."""
        self._meter.say("unit times at full size")
        views = random_views(5)
        batch = self._reference.complete_pairs(views)[:DEFAULT_BATCH]
        ours_pairs = complete_pairs(range(5))[:DEFAULT_BATCH]

        def encode_only() -> None:
            with torch.inference_mode():
                images = torch.stack([v.as_tensor() for v in views]).to(self._meter.device)
                self._full.ours.encode(images)

        seconds = self._meter.in_turns(
            {
                "reference": lambda: self._reference.run(batch, self._full.reference),
                "both": lambda: predict_pairs(self._full.ours, views, ours_pairs),
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

    def full_size_seconds(self, plan: Plan) -> float:
        """Ours at full size, from unit times times counts."""
        return plan.images * self.unit_seconds["ours_encode"] + plan.pairs * self.unit_seconds["ours_decode"]

    def full_size_reference_seconds(self, plan: Plan) -> float:
        """The reference at full size, from its unit time times count."""
        return plan.directed * self.unit_seconds["reference_pair"]

    def small(self, plan: Plan, images: int) -> dict[str, Any]:
        """All subsets through both networks, at a size at which the reference finishes; and whether they agree."""
        self._meter.say(f"{len(plan.subsets)} subsets at a small network size")
        networks = self._reference.networks(SMALL)
        views = random_views(images)
        config = Dust3rInferenceConfig(stride=1, memory_megabytes=16384)
        start = self._meter.now()
        predictions = predict_pairs(networks.ours, views, plan.all_pairs, config)
        ours = self._meter.now() - start
        reference = error = 0.0
        for number, subset in enumerate(plan.subsets):
            pairs = self._reference.complete_pairs([views[k] for k in subset])
            start = self._meter.now()
            output = self._reference.run(pairs, networks.reference)
            reference += self._meter.now() - start
            error = max(error, largest_difference(output, predictions, subset))
            if number % 11 == 10:
                self._meter.say(f"{number + 1} of {len(plan.subsets)} subsets: reference {reference:.1f} s")
        return {"seconds": {"ours": ours, "reference": reference}, "max_relative_error": error}
