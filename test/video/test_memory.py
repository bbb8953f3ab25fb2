"""Too little memory is noticed before loading, with what would fit."""

from pathlib import Path

import pytest

from interpose_ros.interpolation.diffusion.checkpoint import Component, VideoCheckpoint
from interpose_ros.interpolation.diffusion.errors import VideoMemoryError
from interpose_ros.interpolation.diffusion.memory import check_memory, free_memory, memory_need
from interpose_ros.interpolation.diffusion.model import VideoModel
from interpose_ros.interpolation.video_config import VideoRuntimeConfig

from .conftest import tiny_preset


def component(name: str, billions: float) -> Component:
    return Component(name, "diffusers", "X", {}, frozenset(), int(billions * 1e9), 0)


LARGE = VideoCheckpoint(
    Path("/models/large"),
    "WanImageToVideoPipeline",
    {},
    {
        "transformer": component("transformer", 14),
        "text_encoder": component("text_encoder", 6),
        "vae": component("vae", 1),
    },
)


@pytest.mark.parametrize(
    ("offload", "quantisation", "device", "expected"),
    [
        ("none", "none", "cuda", (28 + 12 + 4 + 5, 44)),
        ("none", "float8", "cuda", (14.7 + 12 + 4 + 5, 44)),
        ("model", "none", "cuda:1", (28 + 5, 44)),
        ("model", "float8", "cuda", (14.7 + 5, 44)),
        ("sequential", "none", "cuda", (0.06 * 28 + 5, 44)),
        ("none", "none", "cpu", (28 + 12 + 4 + 5, 0)),
        ("none", "float8", "cpu", (44, 0)),
    ],
)
def test_what_a_model_needs(offload: str, quantisation: str, device: str, expected: tuple[float, float]) -> None:
    """14 and 6 billion values of two bytes, 1 billion of four, and 5 GB to work in; all are read as they are first."""
    need = memory_need(LARGE, "bfloat16", "float32", offload, quantisation, 5e9, device)
    assert (need.device / 1e9, need.host / 1e9) == pytest.approx(expected)


def check(free: tuple[float, float], device: str = "cuda", offload: str = "none") -> None:
    smaller = {"small": 16.0, "smaller": 10.0}
    check_memory(LARGE, "bfloat16", "float32", offload, "none", 5e9, device, smaller, free)


def test_what_fits_is_let_through() -> None:
    check((50e9, 45e9))
    check((34e9, 45e9), offload="model")


def test_what_would_fit_is_named() -> None:
    with pytest.raises(VideoMemoryError) as caught:
        check((24e9, 64e9))
    text = str(caught.value)
    assert "/models/large needs 49.0 GB on cuda and 44.0 GB of main memory; 24.0 GB are free" in text
    assert "offload: model, quantisation: float8 (19.7 GB)" in text
    assert "offload: sequential" in text
    assert "offload: model, quantisation: none" not in text
    assert text.endswith("the preset smaller (10 GB), the preset small (16 GB)")


def test_offload_needs_main_memory_too() -> None:
    with pytest.raises(VideoMemoryError, match=r"and 44\.0 GB of main memory; 34\.0 GB are free there and 8\.0 GB"):
        check((34e9, 8e9), offload="model")


def test_nothing_fits() -> None:
    with pytest.raises(VideoMemoryError, match="nothing that is known here would fit"):
        check((3e9, 3e9), device="cpu")


def test_said_before_anything_is_loaded(checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    from interpose_ros.interpolation.diffusion import memory, model

    monkeypatch.setattr(memory, "free_memory", lambda device: (1e6, 1e6))
    monkeypatch.setattr(model, "load_pipeline", lambda *_: pytest.fail("loaded all the same"))
    tiny = VideoModel(tiny_preset(), checkpoint("wan_vace"), VideoRuntimeConfig(device="cpu"))
    with pytest.raises(VideoMemoryError, match="GB are free"):
        tiny.load()


def test_this_machine_has_memory() -> None:
    device, host = free_memory("cpu")
    assert device == host > 1e8
