"""The network: a shared encoder, two decoders that look at each other, one head per side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from interpose_ros.dust3r.blocks import DecoderBlock, EncoderBlock, layer_norm
from interpose_ros.dust3r.config import NetworkConfig
from interpose_ros.dust3r.heads import HEADS, points_and_confidence
from interpose_ros.dust3r.rope import RotaryTables


@dataclass(frozen=True)
class EncodedImages:
    """Encoder output of a batch of images of one size.

    Attributes:
        rows, columns: size of the grid of patches.
        features: ``(b, rows * columns, enc_embed_dim)``.
    """

    rows: int
    columns: int
    features: Tensor


@dataclass(frozen=True)
class DecoderSide:
    """What one decoder reads of a batch of images before it knows their partners.

    Attributes:
        rows, columns: size of the grid of patches.
        state: tokens after the self-attention of this side's first block, ``(b, tokens, dec_embed_dim)``.
        keys, values: what the *other* side's first block reads of these images, ``(b, heads, tokens, head_dim)``.
        head_input: what this side's head computes from the encoder output alone; None if its head reads none of it.
    """

    rows: int
    columns: int
    state: Tensor
    keys: Tensor
    values: Tensor
    head_input: Tensor | None

    def select(self, indices: Tensor) -> DecoderSide:
        """The images at ``indices`` (on the same device), repeated where an index is."""
        head_input = None if self.head_input is None else self.head_input[indices]
        return DecoderSide(
            self.rows, self.columns, self.state[indices], self.keys[indices], self.values[indices], head_input
        )


@dataclass(frozen=True)
class PairOutput:
    """Pointmaps of a batch of ordered pairs, all in the frame and scale of each pair's first camera.

    Attributes:
        points_first, points_second: ``(b, h, w, 3)``, pointmaps of the first and of the second image.
        confidence_first, confidence_second: ``(b, h, w)``, at least 1.
    """

    points_first: Tensor
    points_second: Tensor
    confidence_first: Tensor
    confidence_second: Tensor


class Dust3rNetwork(nn.Module):
    """DUSt3R with the parameter names of the public checkpoints.

    ``encode`` looks at each image once, ``prepare_first`` and ``prepare_second`` do what does not depend on the
    partner, ``decode`` looks at each ordered pair once. Images are ``(b, 3, h, w)``, normalised to -1..1 (see
    ``preprocess``), both sides multiples of the patch size; portrait and landscape alike.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, config.enc_embed_dim, config.patch_size, stride=config.patch_size)}
        )
        self.enc_blocks = nn.ModuleList(
            EncoderBlock(config.enc_embed_dim, config.enc_num_heads, config.mlp_ratio) for _ in range(config.enc_depth)
        )
        self.enc_norm = layer_norm(config.enc_embed_dim)
        self.decoder_embed = nn.Linear(config.enc_embed_dim, config.dec_embed_dim)
        self.dec_blocks = self._decoder(config)
        self.dec_blocks2 = self._decoder(config)
        self.dec_norm = layer_norm(config.dec_embed_dim)
        self.downstream_head1 = HEADS[config.head_type](config)
        self.downstream_head2 = HEADS[config.head_type](config)
        self._encoder_tables = RotaryTables(config.enc_embed_dim // config.enc_num_heads)
        self._decoder_tables = RotaryTables(config.dec_embed_dim // config.dec_num_heads)

    @staticmethod
    def _decoder(config: NetworkConfig) -> nn.ModuleList:
        return nn.ModuleList(
            DecoderBlock(config.dec_embed_dim, config.dec_num_heads, config.mlp_ratio) for _ in range(config.dec_depth)
        )

    def encode(self, images: Tensor) -> EncodedImages:
        """Encode a batch of images of one size.

        Raises:
            ValueError: a side of the images is not a multiple of the patch size.
        """
        patch_size = self.config.patch_size
        height, width = images.shape[-2:]
        if height % patch_size or width % patch_size:
            raise ValueError(f"image of {width}x{height}: both sides must be multiples of {patch_size}")
        x = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        rows, columns = height // patch_size, width // patch_size
        tables = self._encoder_tables(rows, columns, x)
        for block in self.enc_blocks:
            x = block(x, tables)
        return EncodedImages(rows, columns, self.enc_norm(x))

    def prepare_first(self, encoded: EncodedImages) -> DecoderSide:
        """What the first side needs of images, whatever they are paired with."""
        return self._prepare(encoded, self.dec_blocks[0], self.dec_blocks2[0], self.downstream_head1)

    def prepare_second(self, encoded: EncodedImages) -> DecoderSide:
        """What the second side needs of images, whatever they are paired with."""
        return self._prepare(encoded, self.dec_blocks2[0], self.dec_blocks[0], self.downstream_head2)

    def _prepare(
        self, encoded: EncodedImages, own_block: DecoderBlock, other_block: DecoderBlock, head: nn.Module
    ) -> DecoderSide:
        rows, columns = encoded.rows, encoded.columns
        tokens = self.decoder_embed(encoded.features)
        tables = self._decoder_tables(rows, columns, tokens)
        keys, values = other_block.prepare_other(tokens, tables)
        with torch.autocast(tokens.device.type, enabled=False):
            head_input = head.prepare(encoded.features.float(), rows, columns)
        return DecoderSide(rows, columns, own_block.attend_self(tokens, tables), keys, values, head_input)

    def decode(self, first: DecoderSide, second: DecoderSide) -> PairOutput:
        """Pointmaps of the pairs (first[i], second[i]). The two sides may differ in image size."""
        layers = HEADS[self.config.head_type].decoder_layers(self.config)
        kept: tuple[list[Tensor], list[Tensor]] = ([], [])
        tables1, tables2 = (self._decoder_tables(s.rows, s.columns, s.state) for s in (first, second))
        x1 = self.dec_blocks[0].attend_other(first.state, tables1, (second.keys, second.values))
        x2 = self.dec_blocks2[0].attend_other(second.state, tables2, (first.keys, first.values))
        for depth, (block1, block2) in enumerate(zip(self.dec_blocks, self.dec_blocks2, strict=True), start=1):
            if depth > 1:
                # Both sides look at what the other was before this block.
                seen_by_1, seen_by_2 = block1.prepare_other(x2, tables2), block2.prepare_other(x1, tables1)
                x1 = block1.attend_other(block1.attend_self(x1, tables1), tables1, seen_by_1)
                x2 = block2.attend_other(block2.attend_self(x2, tables2), tables2, seen_by_2)
            if depth in layers and depth < self.config.dec_depth:
                kept[0].append(x1)
                kept[1].append(x2)
        points1, confidence1 = self._apply_head(self.downstream_head1, [*kept[0], self.dec_norm(x1)], first)
        points2, confidence2 = self._apply_head(self.downstream_head2, [*kept[1], self.dec_norm(x2)], second)
        return PairOutput(points1, points2, confidence1, confidence2)

    @staticmethod
    def _apply_head(head: nn.Module, tokens: list[Tensor], side: DecoderSide) -> tuple[Tensor, Tensor]:
        # The exponentials of the output magnify rounding, so heads stay in float32 whatever the rest runs in.
        with torch.autocast(tokens[0].device.type, enabled=False):
            raw = head([layer.float() for layer in tokens], side.head_input, side.rows, side.columns)
            return points_and_confidence(raw)

    def set_compute_dtype(self, dtype: torch.dtype) -> Dust3rNetwork:
        """Keep and run everything but the heads in ``dtype``. In place; returns the network."""
        self.to(dtype)
        self.downstream_head1.float()
        self.downstream_head2.float()
        return self

    @property
    def compute_dtype(self) -> torch.dtype:
        """Type that the encoder and the decoders run in."""
        return self.decoder_embed.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.decoder_embed.weight.device
