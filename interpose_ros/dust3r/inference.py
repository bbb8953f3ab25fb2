"""Pointmaps of many pairs of a set of views: every distinct image is encoded once, every distinct pair decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from interpose_ros.config import Dust3rInferenceConfig
from interpose_ros.dust3r.memory import MemoryModel
from interpose_ros.dust3r.network import DecoderSide, Dust3rNetwork, EncodedImages, PairOutput
from interpose_ros.dust3r.preprocess import PreparedView

Pair = tuple[int, int]
_Shape = tuple[int, int]

ALL_PIXELS = Dust3rInferenceConfig(stride=1)


class Cancelled(Exception):
    """The caller asked to stop between two batches."""


@dataclass(frozen=True)
class PairMaps:
    """Pointmaps of one ordered pair, on the device: ``points_*`` ``(h, w, 3)`` and ``confidence_*`` ``(h, w)``.

    Both are in the frame and scale of the pair's first camera, at the pixels that ``PairPredictions.stride`` keeps.
    """

    points_first: Tensor
    points_second: Tensor
    confidence_first: Tensor
    confidence_second: Tensor


@dataclass(frozen=True)
class WorkDone:
    """What inference ran, for cost reports: images encoded and pairs decoded."""

    encoded: int
    decoded: int


class PairPredictions:
    """Pointmaps of ordered pairs of views, looked up by the numbers of the views.

    Equal images share their pointmaps. Pixel ``(v, u)`` of a map is pixel ``(v * stride, u * stride)`` of its image.
    """

    def __init__(self, views: Sequence[PreparedView], image_of_view: Sequence[int], stride: int) -> None:
        self.views = tuple(views)
        self.stride = stride
        self._image_of_view = tuple(image_of_view)
        self._maps: dict[Pair, PairMaps] = {}
        self.work = WorkDone(0, 0)

    def __getitem__(self, pair: Pair) -> PairMaps:
        first, second = pair
        return self._maps[self._image_of_view[first], self._image_of_view[second]]

    def __contains__(self, pair: Pair) -> bool:
        first, second = pair
        return (self._image_of_view[first], self._image_of_view[second]) in self._maps

    def store(self, image_pair: Pair, maps: PairMaps) -> None:
        """Keep the maps of a pair of distinct images (not of views)."""
        self._maps[image_pair] = maps


def complete_pairs(views: Sequence[int]) -> list[Pair]:
    """Both orders of every pair of the given views."""
    return [(i, j) for i in views for j in views if i != j]


def predict_pairs(
    network: Dust3rNetwork,
    views: Sequence[PreparedView],
    pairs: Sequence[Pair],
    config: Dust3rInferenceConfig = ALL_PIXELS,
    on_batch: Callable[[int, int], bool] | None = None,
) -> PairPredictions:
    """Pointmaps of the given ordered pairs of views.

    Args:
        network: see ``load_network``.
        views: prepared for this network; equal images among them are recognised and share all work.
        pairs: numbers of first and second view; repeated pairs cost nothing.
        config: memory and resolution; by default every pixel is kept.
        on_batch: called before each forward pass with steps done and steps in all; False cancels.

    Raises:
        ValueError: a pair names a view that is not there or twice the same one, or the memory cannot hold one pair.
        Cancelled: ``on_batch`` said so.
    """
    for first, second in pairs:
        if not (0 <= first < len(views) and 0 <= second < len(views)) or first == second:
            raise ValueError(f"pair ({first}, {second}) does not name two of the {len(views)} views")
    images, image_of_view = _distinct(views)
    predictions = PairPredictions(views, image_of_view, config.stride)
    distinct_pairs = sorted({(image_of_view[i], image_of_view[j]) for i, j in pairs})
    needed = sorted({image for pair in distinct_pairs for image in pair})
    run = _Run(network, images, config, len(needed) + len(distinct_pairs), on_batch)
    run.check_memory(needed, distinct_pairs)
    with torch.inference_mode():
        features = run.encode(needed)
        for pair, maps in run.decode(features, distinct_pairs):
            predictions.store(pair, maps)
    predictions.work = WorkDone(len(needed), len(distinct_pairs))
    return predictions


def _distinct(views: Sequence[PreparedView]) -> tuple[list[PreparedView], list[int]]:
    number_of_key: dict[tuple[object, ...], int] = {}
    images: list[PreparedView] = []
    image_of_view = []
    for view in views:
        number = number_of_key.setdefault(view.key, len(images))
        if number == len(images):
            images.append(view)
        image_of_view.append(number)
    return images, image_of_view


class _Run:
    """One call of ``predict_pairs``."""

    def __init__(
        self,
        network: Dust3rNetwork,
        images: list[PreparedView],
        config: Dust3rInferenceConfig,
        steps: int,
        on_batch: Callable[[int, int], bool] | None,
    ) -> None:
        self._network = network
        self._images = images
        self._config = config
        self._allowed = int(config.memory_megabytes * 2**20)
        self._memory = MemoryModel(network.config, network.compute_dtype)
        self._free = self._allowed
        self._steps, self._done, self._on_batch = steps, 0, on_batch

    def check_memory(self, images: list[int], pairs: list[Pair]) -> None:
        """Set aside what is kept to the end; the rest is for batches."""
        kept = sum(self._memory.features(*self._shape(i)) for i in images)
        kept += sum(self._memory.pointmaps(*self._kept_shape(i)) for pair in pairs for i in pair) // 2
        largest = max((self._memory.decoding(*self._shape(i)) for i in images), default=0)
        self._free = self._allowed - kept
        if self._free < largest:
            raise ValueError(
                f"{len(images)} images and {len(pairs)} pairs keep {kept / 2**20:.0f} MiB and one pair needs "
                f"{largest / 2**20:.0f} MiB more; allowed are {self._allowed / 2**20:.0f} MiB. Allow more"
                " memory, keep fewer pixels (stride), or give fewer views at once"
            )

    def encode(self, images: list[int]) -> dict[int, Tensor]:
        """Encoder output by image."""
        features: dict[int, Tensor] = {}
        for shape in sorted({self._shape(i) for i in images}):
            same_shape = [i for i in images if self._shape(i) == shape]
            for batch in self._batches(same_shape, self._memory.encoding(*shape)):
                pixels = torch.stack([self._images[i].as_tensor() for i in batch])
                pixels = pixels.to(self._network.device, self._network.compute_dtype)
                for image, row in zip(batch, self._network.encode(pixels).features, strict=True):
                    features[image] = row
        return features

    def decode(self, features: dict[int, Tensor], pairs: list[Pair]) -> Iterator[tuple[Pair, PairMaps]]:
        """Pointmaps by pair of images."""
        shapes = sorted({(self._shape(i), self._shape(j)) for i, j in pairs})
        for shape_first, shape_second in shapes:
            alike = [p for p in pairs if (self._shape(p[0]), self._shape(p[1])) == (shape_first, shape_second)]
            cost = max(self._memory.decoding(*shape_first), self._memory.decoding(*shape_second))
            for batch in self._batches(alike, cost):
                first = self._side(self._network.prepare_first, features, [i for i, _ in batch])
                second = self._side(self._network.prepare_second, features, [j for _, j in batch])
                yield from zip(batch, self._split(self._network.decode(first, second)), strict=True)

    def _side(
        self, prepare: Callable[[EncodedImages], DecoderSide], features: dict[int, Tensor], images: list[int]
    ) -> DecoderSide:
        distinct = sorted(set(images))
        rows, columns = (side // self._network.config.patch_size for side in self._shape(images[0]))
        side = prepare(EncodedImages(rows, columns, torch.stack([features[i] for i in distinct])))
        if images == distinct:
            return side
        positions = torch.tensor([distinct.index(i) for i in images]).to(self._network.device, non_blocking=True)
        return side.select(positions)

    def _split(self, output: PairOutput) -> Iterator[PairMaps]:
        step = self._config.stride
        # Cloned, so that the pixels that are not kept are freed.
        kept = [
            part[:, ::step, ::step].clone()
            for part in (output.points_first, output.points_second, output.confidence_first, output.confidence_second)
        ]
        return (PairMaps(*parts) for parts in zip(*kept, strict=True))

    def _batches(self, items: list, cost: int) -> Iterator[list]:
        size = max(1, min(self._config.max_batch, self._free // cost))
        for start in range(0, len(items), size):
            if self._on_batch is not None and not self._on_batch(self._done, self._steps):
                raise Cancelled(f"cancelled after {self._done} of {self._steps} forward passes")
            batch = items[start : start + size]
            yield batch
            self._done += len(batch)

    def _shape(self, image: int) -> _Shape:
        height, width = self._images[image].pixels.shape[:2]
        return height, width

    def _kept_shape(self, image: int) -> _Shape:
        height, width = self._shape(image)
        step = self._config.stride
        return -(-height // step), -(-width // step)
