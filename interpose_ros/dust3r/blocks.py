"""Transformer blocks of the encoder and of the two decoders. Parameter names are those of the public checkpoints."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from interpose_ros.dust3r.rope import rotate

NORM_EPSILON = 1e-6
Tables = tuple[Tensor, Tensor]


def layer_norm(dim: int) -> nn.LayerNorm:
    """Layer norm with the epsilon that the checkpoints were trained with."""
    return nn.LayerNorm(dim, eps=NORM_EPSILON)


def _split_heads(x: Tensor, num_heads: int) -> Tensor:
    batch, tokens, dim = x.shape
    return x.view(batch, tokens, num_heads, dim // num_heads).transpose(1, 2)


def _join_heads(x: Tensor) -> Tensor:
    batch, num_heads, tokens, head_dim = x.shape
    return x.transpose(1, 2).reshape(batch, tokens, num_heads * head_dim)


class Linear(nn.Linear):
    """A linear layer that may end a residual branch, so that another implementation can add within the product."""

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual`` plus the layer's output for ``x``."""
        return residual + self(x)


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1: nn.Module = nn.Linear(dim, hidden)
        self.act: nn.Module = nn.GELU()
        self.fc2 = Linear(hidden, dim)

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """``residual`` plus the output for ``x``."""
        return self.fc2.added_to(residual, self.act(self.fc1(x)))


class SelfAttention(nn.Module):
    """Attention of the tokens of one image to each other."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = Linear(dim, dim)

    def added_to(self, residual: Tensor, x: Tensor, tables: Tables) -> Tensor:
        """``residual`` plus what the tokens ``x`` attend to."""
        q, k, v = (_split_heads(part, self._num_heads) for part in self.qkv(x).chunk(3, dim=-1))
        attended = F.scaled_dot_product_attention(rotate(q, tables), rotate(k, tables), v)
        return self.proj.added_to(residual, _join_heads(attended))


class CrossAttention(nn.Module):
    """Attention of the tokens of one image to those of the other."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.projq = nn.Linear(dim, dim)
        self.projk = nn.Linear(dim, dim)
        self.projv = nn.Linear(dim, dim)
        self.proj = Linear(dim, dim)

    def keys_values(self, other: Tensor, other_tables: Tables) -> tuple[Tensor, Tensor]:
        """Keys and values of the other image's tokens; they do not depend on who looks at them."""
        k = rotate(_split_heads(self.projk(other), self._num_heads), other_tables)
        return k, _split_heads(self.projv(other), self._num_heads)

    def added_to(self, residual: Tensor, x: Tensor, tables: Tables, keys_values: tuple[Tensor, Tensor]) -> Tensor:
        """``residual`` plus what the tokens ``x`` see of the other image."""
        q = rotate(_split_heads(self.projq(x), self._num_heads), tables)
        return self.proj.added_to(residual, _join_heads(F.scaled_dot_product_attention(q, *keys_values)))


class EncoderBlock(nn.Module):
    """Self-attention and MLP, each on normalised input and added to it."""

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = layer_norm(dim)
        self.attn = SelfAttention(dim, num_heads)
        self.norm2 = layer_norm(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor, tables: Tables) -> Tensor:
        x = self.attn.added_to(x, self.norm1(x), tables)
        return self.mlp.added_to(x, self.norm2(x))


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention to the other image, MLP.

    The block comes in two parts: ``attend_self`` and ``prepare_other`` need one image each, ``attend_other`` needs the
    pair. In the first block the former are the same for every pair that an image takes part in.
    """

    def __init__(self, dim: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = layer_norm(dim)
        self.attn = SelfAttention(dim, num_heads)
        self.cross_attn = CrossAttention(dim, num_heads)
        self.norm2 = layer_norm(dim)
        self.norm3 = layer_norm(dim)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))
        self.norm_y = layer_norm(dim)

    def attend_self(self, x: Tensor, tables: Tables) -> Tensor:
        """Tokens ``x`` after self-attention."""
        return self.attn.added_to(x, self.norm1(x), tables)

    def prepare_other(self, other: Tensor, other_tables: Tables) -> tuple[Tensor, Tensor]:
        """Keys and values of the other image's tokens."""
        return self.cross_attn.keys_values(self.norm_y(other), other_tables)

    def attend_other(self, x: Tensor, tables: Tables, keys_values: tuple[Tensor, Tensor]) -> Tensor:
        """Tokens of ``attend_self`` after cross-attention and MLP."""
        x = self.cross_attn.added_to(x, self.norm2(x), tables, keys_values)
        return self.mlp.added_to(x, self.norm3(x))
