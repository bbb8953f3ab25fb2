"""Rotary position embedding on the grid of patches.

Source: Su et al., "RoFormer" (arXiv 2104.09864), in two axes as in CroCo v2 (Weinzaepfel et al., ICCV 2023): the first
half of a head's channels is turned by the patch's row, the second half by its column, both with base 100.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BASE = 100.0


class RotaryTables(nn.Module):
    """Cosines and sines of every grid size seen so far, kept on the device.

    The tables of a grid depend on its shape alone, which the host knows. So nothing is read back from the device, and
    the tables are shared by all attention layers of one head width.
    """

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self._head_dim = head_dim
        self._tables: dict[tuple[int, int, torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def forward(self, rows: int, columns: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines, each ``(rows * columns, head_dim)``, row-major, with device and type of ``like``."""
        key = (rows, columns, like.device, like.dtype)
        if key not in self._tables:
            self._tables[key] = self._build(rows, columns, like)
        return self._tables[key]

    def _build(self, rows: int, columns: int, like: Tensor) -> tuple[Tensor, Tensor]:
        axis_dim = self._head_dim // 2
        exponents = torch.arange(0, axis_dim, 2, dtype=torch.float64) / axis_dim
        frequencies = BASE**-exponents
        row_angles = torch.arange(rows, dtype=torch.float64)[:, None] * frequencies
        column_angles = torch.arange(columns, dtype=torch.float64)[:, None] * frequencies
        row_part = row_angles.repeat(1, 2)[:, None].expand(rows, columns, axis_dim)
        column_part = column_angles.repeat(1, 2)[None].expand(rows, columns, axis_dim)
        angles = torch.cat([row_part, column_part], dim=-1).reshape(rows * columns, self._head_dim)
        # The sign of the rotated half belongs to the sine: one multiplication less in every layer.
        quarter = axis_dim // 2
        sign = torch.ones(axis_dim, dtype=torch.float64)
        sign[:quarter] = -1.0
        sine = angles.sin() * sign.repeat(2)
        return angles.cos().to(like), sine.to(like)


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """Turn queries or keys ``(..., tokens, head_dim)`` by the position of their token."""
    cosine, sine = tables
    first_y, second_y, first_x, second_x = x.chunk(4, dim=-1)
    swapped = torch.cat([second_y, first_y, second_x, first_x], dim=-1)
    return torch.addcmul(x * cosine, swapped, sine)
