"""How much memory a forward pass takes, so that batches fit what they are allowed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.heads import DPT_FEATURE_DIM, DPT_LAST_DIM

_FLOAT32 = 4


@dataclass(frozen=True)
class MemoryModel:
    """Bytes that are alive at once for one image or pair, counted from the sizes of the layers (weights not included).

    Attributes:
        config: sizes of the network.
        dtype: what encoder and decoders run in.
    """

    config: NetworkConfig
    dtype: torch.dtype

    def features(self, height: int, width: int) -> int:
        """Encoder output of one image, kept while its pairs are decoded."""
        return self._tokens(height, width) * self.config.enc_embed_dim * self.dtype.itemsize

    def encoding(self, height: int, width: int) -> int:
        """Largest moment of encoding one image: residual, normalised input and both halves of the MLP."""
        config = self.config
        return int(
            self._tokens(height, width) * config.enc_embed_dim * (3 + 2 * config.mlp_ratio) * self.dtype.itemsize
        )

    def decoding(self, height: int, width: int) -> int:
        """Largest moment of decoding one pair of images of this size, its pointmaps included."""
        config, pixels = self.config, height * width
        tokens = self._tokens(height, width)
        # Per side: state, keys, values, what the head will read (4 layers, in float32), and one MLP.
        per_token = config.dec_embed_dim * (2 * (3 + 2 * config.mlp_ratio) * self.dtype.itemsize + 2 * 4 * _FLOAT32)
        result = 2 * pixels * 4 * _FLOAT32
        head = 3 * pixels * 4 * _FLOAT32
        if config.head_type == "dpt":
            # Skips of both sides at a quarter of the resolution; the last layers of one head at half and at full.
            result += 2 * pixels // 16 * DPT_FEATURE_DIM * _FLOAT32
            head += (4 * pixels // 4 * DPT_FEATURE_DIM + 3 * pixels * DPT_LAST_DIM) * _FLOAT32
        return int(tokens * per_token + result + head)

    def pointmaps(self, height: int, width: int) -> int:
        """Result of one pair: two pointmaps with confidence, of images of this size."""
        return 2 * height * width * 4 * _FLOAT32

    def _tokens(self, height: int, width: int) -> int:
        return height * width // self.config.patch_size**2
