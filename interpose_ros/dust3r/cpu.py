"""Faster linear layers on CPUs in float32.

PyTorch's own linear layers call MKL, which on some processors (AMD's among them) leaves a fifth of the arithmetic
rate unused. oneDNN comes with PyTorch too, reaches more with weights packed once, and adds GELU for nothing. The
operators are those that PyTorch's compiler emits; where a build lacks them, the network stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from interpose_ros.dust3r.blocks import Mlp
from interpose_ros.dust3r.network import Dust3rNetwork

_TYPICAL_ROWS = 512
"""Tokens per call that weights are packed for; other numbers work as well."""


class PackedLinear(nn.Module):
    """A linear layer for inference, optionally with exact GELU after it."""

    def __init__(self, linear: nn.Linear, activation: str) -> None:
        super().__init__()
        self._activation = activation
        self.in_features = linear.in_features
        weight = linear.weight.detach()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, _TYPICAL_ROWS)
        self._bias = linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, self._activation, [], "none")

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual`` plus the output for ``x``, in one pass over the memory; of a layer without activation."""
        return torch.ops.mkldnn._linear_pointwise.binary(x, residual, self._weight, self._bias, "add")


def packing_is_available() -> bool:
    """Whether this build of PyTorch has the operators."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def pack_for_cpu(network: Dust3rNetwork) -> Dust3rNetwork:
    """Replace the linear layers of a float32 network on the CPU. In place; returns the network.

    Afterwards it can neither be trained, nor moved, nor saved. Networks elsewhere or of other types are left alone.
    """
    if network.device.type != "cpu" or network.compute_dtype != torch.float32 or not packing_is_available():
        return network
    for module in list(network.modules()):
        if isinstance(module, Mlp) and isinstance(module.fc1, nn.Linear):
            module.fc1 = PackedLinear(module.fc1, "gelu")
            module.act = nn.Identity()
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and child is not network.decoder_embed:
                setattr(module, name, PackedLinear(child, "none"))
    return network
