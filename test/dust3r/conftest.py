"""Fixtures of the DUSt3R tests."""

from collections.abc import Iterator

import pytest
import torch

from interpose_ros.dust3r.network import Dust3rNetwork

from .dust3r_networks import SMALL, random_network


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Tensors here are small: threads would wait for each other, above all on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["linear", "dpt"])
def small_network(request: pytest.FixtureRequest) -> Dust3rNetwork:
    return random_network(SMALL[request.param])
