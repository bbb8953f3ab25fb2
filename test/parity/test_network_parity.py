"""Equal weights, equal images: equal pointmaps and confidence."""

import pytest
import torch
from torch import Tensor, nn

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.network import Dust3rNetwork, PairOutput

from .dust3r_reference import build_reference, run_reference

TOLERANCE = 1e-4
TRAINING_SHAPES = [(384, 512), (336, 512), (288, 512), (256, 512), (160, 512)]
PORTRAIT_SHAPES = [(width, height) for height, width in TRAINING_SHAPES]

LINEAR = NetworkConfig(
    head_type="linear", enc_embed_dim=128, enc_depth=3, enc_num_heads=2, dec_embed_dim=192, dec_depth=4, dec_num_heads=3
)
DPT = NetworkConfig(
    head_type="dpt", enc_embed_dim=128, enc_depth=2, enc_num_heads=2, dec_embed_dim=64, dec_depth=12, dec_num_heads=1
)


def randomise(network: nn.Module, seed: int) -> None:
    """Weights of a size that keeps the signal alive through all layers, biases and norms off their neutral values."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim >= 2:
            # The output is exponential: the last layer keeps it within a few units.
            gain = 0.1 if name.endswith("dpt.head.4.weight") else 1.0
            parameter.data = gain * noise / parameter[0].numel() ** 0.5
        elif "norm" in name and name.endswith("weight"):
            parameter.data = 1.0 + 0.2 * noise
        else:
            parameter.data = 0.1 * noise


def relative_error_points(ours: Tensor, reference: Tensor) -> float:
    """Largest distance over the root mean square length of the pointmap."""
    scale = reference.square().sum(-1).mean().sqrt()
    return float((ours - reference).norm(dim=-1).max() / scale)


def assert_equal(ours: PairOutput, reference: PairOutput) -> None:
    assert reference.points_first.std() > 1e-3, "the reference's output is constant: the comparison would say nothing"
    assert reference.confidence_second.std() > 1e-3
    assert relative_error_points(ours.points_first, reference.points_first) < TOLERANCE
    assert relative_error_points(ours.points_second, reference.points_second) < TOLERANCE
    assert float((ours.confidence_first / reference.confidence_first - 1).abs().max()) < TOLERANCE
    assert float((ours.confidence_second / reference.confidence_second - 1).abs().max()) < TOLERANCE


@pytest.fixture(scope="module", params=[LINEAR, DPT], ids=["linear", "dpt"])
def networks(request: pytest.FixtureRequest) -> tuple[nn.Module, Dust3rNetwork]:
    config: NetworkConfig = request.param
    reference = build_reference(config)
    randomise(reference, seed=7)
    ours = Dust3rNetwork(config).eval()
    state = reference.state_dict()
    ours.load_state_dict({name: state[name] for name in ours.state_dict()})
    return reference, ours


@pytest.mark.parametrize("shape", [(224, 224), *TRAINING_SHAPES, *PORTRAIT_SHAPES], ids=lambda s: f"{s[1]}x{s[0]}")
def test_pointmaps_and_confidence_equal_the_reference(
    networks: tuple[nn.Module, Dust3rNetwork], shape: tuple[int, int]
) -> None:
    reference, ours = networks
    images = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(shape[0])) * 2 - 1
    first, second = torch.tensor([0, 1]), torch.tensor([1, 0])
    with torch.no_grad():
        encoded = ours.encode(images)
        output = ours.decode(ours.prepare_first(encoded).select(first), ours.prepare_second(encoded).select(second))
    assert_equal(output, run_reference(reference, images[first], images[second]))
