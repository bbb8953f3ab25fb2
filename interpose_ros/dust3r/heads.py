"""Heads that turn decoder tokens into a pointmap and its confidence.

The DPT head is that of Ranftl et al., "Vision Transformers for Dense Prediction", ICCV 2021, without batch norm, with
the sizes of the public checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from interpose_ros.dust3r.config import NetworkConfig

DPT_LAYER_DIMS = (96, 192, 384, 768)
DPT_FEATURE_DIM = 256
DPT_LAST_DIM = 128
OUTPUT_CHANNELS = 4


def points_and_confidence(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Pointmap ``(b, h, w, 3)`` and confidence ``(b, h, w)``, at least 1, from raw output ``(b, 4, h, w)``.

    The length of the raw vector is the logarithm of the distance plus one; confidence is one plus an exponential.
    """
    vector, raw_confidence = raw[:, :3].permute(0, 2, 3, 1), raw[:, 3]
    length = vector.norm(dim=-1, keepdim=True)
    points = vector * (torch.expm1(length) / length.clamp(min=1e-8))
    return points, 1.0 + raw_confidence.exp()


class LinearHead(nn.Module):
    """One linear layer per patch, from the last tokens."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self._patch_size = config.patch_size
        self.proj = nn.Linear(config.dec_embed_dim, OUTPUT_CHANNELS * config.patch_size**2)

    @staticmethod
    def decoder_layers(config: NetworkConfig) -> tuple[int, ...]:
        """Number of the decoder blocks whose output the head reads, the last one included."""
        return (config.dec_depth,)

    def prepare(self, features: Tensor, rows: int, columns: int) -> None:
        """This head reads nothing of the encoder's output."""

    def forward(self, tokens: list[Tensor], head_input: None, rows: int, columns: int) -> Tensor:
        """Raw output ``(b, 4, h, w)`` from the layers that ``decoder_layers`` names, each ``(b, tokens, dim)``."""
        grid = self.proj(tokens[0]).transpose(1, 2).unflatten(2, (rows, columns))
        return F.pixel_shuffle(grid, self._patch_size)


class ResidualConvUnit(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, added to the input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim, 3, padding=1)
        self.conv2 = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class FusionBlock(nn.Module):
    """Refines a sum of coarse and skipped features, and doubles its size; ``resConfUnit1`` refines the skipped ones."""

    def __init__(self, dim: int, has_skip: bool) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(dim, dim, 1)
        if has_skip:
            self.resConfUnit1 = ResidualConvUnit(dim)
        self.resConfUnit2 = ResidualConvUnit(dim)

    def forward(self, x: Tensor) -> Tensor:
        # A 1x1 convolution and a bilinear resize commute (the weights of the resize sum to one): convolving first
        # costs a quarter.
        x = self.out_conv(self.resConfUnit2(x))
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


class _Scratch(nn.Module):
    """Container that gives the fusion weights their names in the checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        for index, dim in enumerate(DPT_LAYER_DIMS, start=1):
            setattr(self, f"layer{index}_rn", nn.Conv2d(dim, DPT_FEATURE_DIM, 3, padding=1, bias=False))
            setattr(self, f"refinenet{index}", FusionBlock(DPT_FEATURE_DIM, has_skip=index < len(DPT_LAYER_DIMS)))


class _Dpt(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        d0, d1, d2, d3 = DPT_LAYER_DIMS
        enc, dec = config.enc_embed_dim, config.dec_embed_dim
        self.act_postprocess = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(enc, d0, 1), nn.ConvTranspose2d(d0, d0, 4, stride=4)),
                nn.Sequential(nn.Conv2d(dec, d1, 1), nn.ConvTranspose2d(d1, d1, 2, stride=2)),
                nn.Sequential(nn.Conv2d(dec, d2, 1)),
                nn.Sequential(nn.Conv2d(dec, d3, 1), nn.Conv2d(d3, d3, 3, stride=2, padding=1)),
            ]
        )
        self.scratch = _Scratch()
        self.head = nn.Sequential(
            nn.Conv2d(DPT_FEATURE_DIM, DPT_FEATURE_DIM // 2, 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
            nn.Conv2d(DPT_FEATURE_DIM // 2, DPT_LAST_DIM, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(DPT_LAST_DIM, OUTPUT_CHANNELS, 1),
        )

    def finest_skip(self, features: Tensor, rows: int, columns: int) -> Tensor:
        """The skip connection of the finest level, a fifth of the head's work: it reads the encoder's output alone."""
        level = self.act_postprocess[0](_as_grid(features, rows, columns))
        return self.scratch.refinenet1.resConfUnit1(self.scratch.layer1_rn(level))

    def forward(self, tokens: list[Tensor], finest_skip: Tensor, rows: int, columns: int) -> Tensor:
        scratch = self.scratch
        fine, middle, coarse = (
            process(_as_grid(layer, rows, columns))
            for process, layer in zip(self.act_postprocess[1:], tokens, strict=True)
        )
        fused = scratch.refinenet4(scratch.layer4_rn(coarse))
        # An odd grid is rounded up by the stride of the coarsest level.
        fused = fused[:, :, :rows, :columns]
        fused = scratch.refinenet3(fused + scratch.refinenet3.resConfUnit1(scratch.layer3_rn(middle)))
        fused = scratch.refinenet2(fused + scratch.refinenet2.resConfUnit1(scratch.layer2_rn(fine)))
        fused = scratch.refinenet1(fused + finest_skip)
        return self.head(fused)


def _as_grid(tokens: Tensor, rows: int, columns: int) -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, (rows, columns))


class DptHead(nn.Module):
    """Convolutions over four layers of tokens."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.dpt = _Dpt(config)

    @staticmethod
    def decoder_layers(config: NetworkConfig) -> tuple[int, ...]:
        """Number of the decoder blocks whose output the head reads, the last one included."""
        depth = config.dec_depth
        return (depth // 2, depth * 3 // 4, depth)

    def prepare(self, features: Tensor, rows: int, columns: int) -> Tensor:
        """What the head computes from the encoder's output ``(b, tokens, enc_embed_dim)`` alone."""
        return self.dpt.finest_skip(features, rows, columns)

    def forward(self, tokens: list[Tensor], head_input: Tensor, rows: int, columns: int) -> Tensor:
        """Raw output ``(b, 4, h, w)`` from the layers that ``decoder_layers`` names, each ``(b, tokens, dim)``."""
        return self.dpt(tokens, head_input, rows, columns)


HEADS: dict[str, type[LinearHead] | type[DptHead]] = {"linear": LinearHead, "dpt": DptHead}
