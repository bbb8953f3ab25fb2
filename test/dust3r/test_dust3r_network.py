"""Sizes of the public checkpoints, and what the network promises about its work."""

import pytest
import torch

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.heads import points_and_confidence
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.rope import RotaryTables, rotate


@pytest.mark.parametrize(
    ("head_type", "parameters"),
    # Published counts, less the unused mask token (768) and, for dpt, two unused convolution units (1 180 160 each).
    [("linear", 532_342_784 - 768), ("dpt", 571_171_208 - 768 - 2 * 1_180_160)],
)
def test_parameter_count_is_that_of_the_public_checkpoints(head_type: str, parameters: int) -> None:
    with torch.device("meta"):
        network = Dust3rNetwork(NetworkConfig(head_type=head_type))
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_points_and_confidence_of_known_raw_output() -> None:
    raw = (
        torch.tensor([3.0, 0.0, 4.0, 0.5])[None, :, None, None]
        * torch.tensor([0.1, 0.1, 0.1, 1.0])[None, :, None, None]
    )
    points, confidence = points_and_confidence(raw)
    expected = torch.tensor([0.6, 0.0, 0.8]) * (torch.e**0.5 - 1)
    torch.testing.assert_close(points[0, 0, 0], expected)
    assert float(confidence[0, 0, 0]) == pytest.approx(1 + 2.718281828**0.5, rel=1e-6)


def test_no_output_is_nan_where_the_raw_vector_has_no_length() -> None:
    points, _ = points_and_confidence(torch.zeros(1, 4, 2, 2))
    assert torch.equal(points, torch.zeros(1, 2, 2, 3))


def test_rotary_embedding_depends_on_relative_position_only() -> None:
    tables = RotaryTables(16)(5, 7, torch.zeros(1, dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 16, generator=generator, dtype=torch.float64)
    products = (rotate(q.expand(35, 16), tables) @ rotate(k.expand(35, 16), tables).T).view(5, 7, 5, 7)
    assert float(products[1, 2, 3, 5]) == pytest.approx(float(products[2, 3, 4, 6]), abs=1e-12)
    assert float(products[0, 0, 0, 0]) == pytest.approx(float(q @ k), abs=1e-12)
    assert abs(float(products[0, 0, 1, 0] - products[0, 0, 0, 1])) > 1e-3, "rows and columns turn different channels"


def test_rotary_tables_are_built_once_per_grid() -> None:
    tables = RotaryTables(8)
    like = torch.zeros(1)
    assert tables(3, 4, like)[0] is tables(3, 4, like)[0]
    assert tables(4, 3, like)[0].shape == (12, 8)


def test_image_sides_must_be_multiples_of_the_patch(small_network: Dust3rNetwork) -> None:
    with pytest.raises(ValueError, match=r"230x224.*multiples of 16"):
        small_network.encode(torch.zeros(1, 3, 224, 230))


def test_pairs_of_a_batch_do_not_mix(small_network: Dust3rNetwork) -> None:
    images = torch.rand(3, 3, 48, 80, generator=torch.Generator().manual_seed(1)) * 2 - 1
    encoded = small_network.encode(images)
    first, second = small_network.prepare_first(encoded), small_network.prepare_second(encoded)
    together = small_network.decode(first.select(torch.tensor([0, 2])), second.select(torch.tensor([1, 0])))
    alone = small_network.decode(first.select(torch.tensor([2])), second.select(torch.tensor([0])))
    torch.testing.assert_close(together.points_second[1:], alone.points_second, rtol=1e-3, atol=1e-3)
    assert (together.points_second[0] - together.points_second[1]).abs().max() > 1e-2


def test_images_of_a_pair_may_differ_in_size(small_network: Dust3rNetwork) -> None:
    landscape = small_network.encode(torch.zeros(1, 3, 48, 80))
    portrait = small_network.encode(torch.zeros(1, 3, 80, 48))
    output = small_network.decode(small_network.prepare_first(landscape), small_network.prepare_second(portrait))
    assert output.points_first.shape == (1, 48, 80, 3)
    assert output.confidence_second.shape == (1, 80, 48)


def test_heads_stay_in_float32(small_network: Dust3rNetwork) -> None:
    exact = small_network.encode(torch.ones(1, 3, 32, 32))
    reference = small_network.decode(small_network.prepare_first(exact), small_network.prepare_second(exact))
    small_network.set_compute_dtype(torch.bfloat16)
    rough = small_network.encode(torch.ones(1, 3, 32, 32, dtype=torch.bfloat16))
    output = small_network.decode(small_network.prepare_first(rough), small_network.prepare_second(rough))
    assert rough.features.dtype == torch.bfloat16
    assert output.points_first.dtype == output.confidence_first.dtype == torch.float32
    difference = (output.points_first - reference.points_first).norm(dim=-1) / reference.points_first.norm(
        dim=-1
    ).mean()
    assert float(difference.mean()) < 0.05
