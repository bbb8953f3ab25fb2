"""Small networks with random weights."""

import torch

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.network import Dust3rNetwork

SMALL = {
    head: NetworkConfig(
        img_size=(224, 224), head_type=head, enc_embed_dim=64, enc_depth=2, enc_num_heads=2,
        dec_embed_dim=48, dec_depth=4, dec_num_heads=2,
    )
    for head in ("linear", "dpt")
}  # fmt: skip


def random_network(config: NetworkConfig, seed: int = 3) -> Dust3rNetwork:
    """Network whose output varies from pixel to pixel."""
    generator = torch.Generator().manual_seed(seed)
    network = Dust3rNetwork(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim >= 2:
            parameter.copy_(noise / parameter[0].numel() ** 0.5)
        else:
            parameter.add_(0.1 * noise)
    return network
