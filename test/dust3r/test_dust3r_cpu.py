"""Packed linear layers compute the same."""

import copy

import pytest
import torch

from interpose_ros.dust3r.cpu import PackedLinear, pack_for_cpu, packing_is_available
from interpose_ros.dust3r.network import Dust3rNetwork, PairOutput


def run(network: Dust3rNetwork) -> PairOutput:
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        encoded = network.encode(images)
        first = network.prepare_first(encoded).select(torch.tensor([0, 1]))
        second = network.prepare_second(encoded).select(torch.tensor([1, 0]))
        return network.decode(first, second)


@pytest.mark.skipif(not packing_is_available(), reason="this build of PyTorch lacks oneDNN's operators")
def test_packed_network_equals_the_plain_one(small_network: Dust3rNetwork) -> None:
    packed = pack_for_cpu(copy.deepcopy(small_network))
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    plain, result = run(small_network), run(packed)
    scale = plain.points_second.square().sum(-1).mean().sqrt()
    assert float((result.points_second - plain.points_second).norm(dim=-1).max() / scale) < 1e-4
    torch.testing.assert_close(result.confidence_first, plain.confidence_first, rtol=1e-4, atol=1e-4)


def test_reduced_precision_is_left_alone(small_network: Dust3rNetwork) -> None:
    network = pack_for_cpu(small_network.set_compute_dtype(torch.bfloat16))
    assert not any(isinstance(module, PackedLinear) for module in network.modules())
