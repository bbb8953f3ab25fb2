"""Fixtures of the DUSt3R tests."""

import pytest

from interpose_ros.dust3r.network import Dust3rNetwork

from .dust3r_networks import SMALL, random_network


@pytest.fixture(params=["linear", "dpt"])
def small_network(request: pytest.FixtureRequest) -> Dust3rNetwork:
    return random_network(SMALL[request.param])
