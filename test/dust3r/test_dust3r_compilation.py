"""Compiled blocks compute the same."""

import copy
import shutil

import pytest
import torch

from interpose_ros.dust3r.compilation import compile_blocks

from .dust3r_networks import SMALL, random_network


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
def test_compiled_network_equals_the_plain_one() -> None:
    network = random_network(SMALL["linear"])
    compiled = compile_blocks(copy.deepcopy(network))
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    outputs = []
    for net in (network, compiled):
        with torch.inference_mode():
            encoded = net.encode(images)
            outputs.append(net.decode(net.prepare_first(encoded), net.prepare_second(encoded)))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
    scale = outputs[0].points_second.square().sum(-1).mean().sqrt()
    assert float((outputs[1].points_second - outputs[0].points_second).norm(dim=-1).max() / scale) < 1e-4
