"""Work is done once, results are those of single pairs, memory is bounded."""

import numpy as np
import pytest
import torch

from interpose_ros.config import Dust3rInferenceConfig
from interpose_ros.dust3r.inference import Cancelled, complete_pairs, predict_pairs
from interpose_ros.dust3r.memory import MemoryModel
from interpose_ros.dust3r.network import Dust3rNetwork
from interpose_ros.dust3r.preprocess import PreparedView
from interpose_ros.geometry.camera import Camera
from interpose_ros.views import KeyframeId, View


def make_view(number: int, width: int = 64, height: int = 48, content: int | None = None) -> PreparedView:
    rng = np.random.default_rng(number if content is None else content)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    camera = Camera(np.array([[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1.0]]), width, height)
    return PreparedView(View(pixels, camera, KeyframeId("camera", number)), pixels, camera)


def count_calls(network: Dust3rNetwork, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    counts = {"encoded": 0, "decoded": 0}
    encode, decode = network.encode, network.decode

    def counting_encode(images: torch.Tensor) -> object:
        counts["encoded"] += len(images)
        return encode(images)

    def counting_decode(first: object, second: object) -> object:
        counts["decoded"] += len(first.state)
        return decode(first, second)

    monkeypatch.setattr(network, "encode", counting_encode)
    monkeypatch.setattr(network, "decode", counting_decode)
    return counts


def test_each_image_is_encoded_once_and_each_pair_decoded_once(
    small_network: Dust3rNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three subsets that share both keyframes; one frame comes twice under two stamps."""
    views = [make_view(0), make_view(1), make_view(2), make_view(3, content=2), make_view(4)]
    pairs = [*complete_pairs([0, 2, 1]), *complete_pairs([0, 3, 1]), *complete_pairs([0, 4, 1])]
    counts = count_calls(small_network, monkeypatch)
    predictions = predict_pairs(small_network, views, pairs)
    assert counts == {"encoded": 4, "decoded": 2 + 4 + 4}
    assert (predictions.work.encoded, predictions.work.decoded) == (4, 10)
    assert predictions[0, 2] is predictions[0, 3]
    assert (2, 4) not in predictions


@pytest.mark.parametrize("max_batch", [1, 2, 32])
def test_batches_do_not_change_the_result(small_network: Dust3rNetwork, max_batch: int) -> None:
    views = [make_view(i) for i in range(3)]
    together = predict_pairs(
        small_network, views, complete_pairs(range(3)), Dust3rInferenceConfig(max_batch=max_batch, stride=1)
    )
    for i, j in complete_pairs(range(3)):
        with torch.inference_mode():
            encoded = small_network.encode(torch.stack([views[i].as_tensor(), views[j].as_tensor()]))
            first = small_network.prepare_first(encoded).select(torch.tensor([0]))
            second = small_network.prepare_second(encoded).select(torch.tensor([1]))
            alone = small_network.decode(first, second)
        scale = alone.points_second.norm(dim=-1).mean()
        assert float((together[i, j].points_second - alone.points_second[0]).abs().max() / scale) < 1e-4
        torch.testing.assert_close(together[i, j].confidence_first, alone.confidence_first[0], rtol=1e-4, atol=1e-4)


def test_images_of_different_shapes_are_paired(small_network: Dust3rNetwork) -> None:
    views = [make_view(0), make_view(1, width=48, height=64), make_view(2)]
    predictions = predict_pairs(small_network, views, complete_pairs(range(3)), Dust3rInferenceConfig(stride=4))
    assert predictions[0, 1].points_first.shape == (12, 16, 3)
    assert predictions[0, 1].points_second.shape == (16, 12, 3)
    assert predictions[1, 2].confidence_second.shape == (12, 16)


def test_stride_keeps_every_nth_pixel(small_network: Dust3rNetwork) -> None:
    views = [make_view(0), make_view(1)]
    full = predict_pairs(small_network, views, [(0, 1)])
    sparse = predict_pairs(small_network, views, [(0, 1)], Dust3rInferenceConfig(stride=5))
    torch.testing.assert_close(sparse[0, 1].points_second, full[0, 1].points_second[::5, ::5])


def test_too_little_memory_is_said_with_numbers(small_network: Dust3rNetwork) -> None:
    with pytest.raises(ValueError, match=r"2 images and 2 pairs keep .* MiB .* allowed are 0 MiB"):
        predict_pairs(
            small_network,
            [make_view(0), make_view(1)],
            complete_pairs(range(2)),
            Dust3rInferenceConfig(memory_megabytes=0.001),
        )


def test_less_memory_means_smaller_batches(small_network: Dust3rNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    views = [make_view(i) for i in range(4)]
    memory = MemoryModel(small_network.config, torch.float32)
    kept = 4 * memory.features(48, 64) + 12 * memory.pointmaps(48, 64)
    sizes = []
    decode = small_network.decode
    monkeypatch.setattr(small_network, "decode", lambda a, b: sizes.append(len(a.state)) or decode(a, b))
    predict_pairs(
        small_network,
        views,
        complete_pairs(range(4)),
        Dust3rInferenceConfig(memory_megabytes=(kept + 2 * memory.decoding(48, 64)) / 2**20, stride=1),
    )
    assert sizes == [2] * 6


def test_cancelling_between_batches(small_network: Dust3rNetwork) -> None:
    seen = []

    def on_batch(done: int, total: int) -> bool:
        seen.append((done, total))
        return len(seen) < 3

    views = [make_view(0), make_view(1)]
    with pytest.raises(Cancelled, match="after 2 of 4"):
        predict_pairs(
            small_network, views, complete_pairs(range(2)), Dust3rInferenceConfig(max_batch=1, stride=1), on_batch
        )
    assert seen == [(0, 4), (1, 4), (2, 4)]


def test_pairs_must_name_two_views(small_network: Dust3rNetwork) -> None:
    with pytest.raises(ValueError, match=r"pair \(1, 1\)"):
        predict_pairs(small_network, [make_view(0), make_view(1)], [(1, 1)])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_reduced_precision_stays_close(small_network: Dust3rNetwork, dtype: torch.dtype) -> None:
    views = [make_view(0), make_view(1)]
    exact = predict_pairs(small_network, views, [(0, 1)])[0, 1].points_second
    rough = predict_pairs(small_network.set_compute_dtype(dtype), views, [(0, 1)])[0, 1].points_second
    assert rough.dtype == torch.float32
    assert float((rough - exact).norm(dim=-1).median() / exact.norm(dim=-1).median()) < 0.05
