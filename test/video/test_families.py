"""Every family through the real pipeline class of diffusers, on a tiny checkpoint that was saved and loaded again."""

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from interpose_ros.interpolation.diffusion.checkpoint import read_checkpoint
from interpose_ros.interpolation.diffusion.errors import GenerationCancelled, GenerationFailed, VideoCheckpointError
from interpose_ros.interpolation.diffusion.families import family_of
from interpose_ros.interpolation.diffusion.ltx2 import last_frame_index
from interpose_ros.interpolation.diffusion.model import ClipRequest, VideoModel
from interpose_ros.interpolation.video_config import VideoRuntimeConfig

from . import tiny_checkpoints
from .conftest import tiny_preset

CPU = VideoRuntimeConfig(device="cpu")
SIZE = {"width": 64, "height": 64}

# checkpoint, settings beside those of the tiny preset, class, frames that come out, where image B should show
USABLE = {
    "wan_i2v": ({}, "WanImageToVideoPipeline", 9, 8),
    "wan_flf2v": ({"options": {"flow_shift": 16.0}}, "WanImageToVideoPipeline", 9, 8),
    "wan_a14b": ({}, "WanImageToVideoPipeline", 9, 8),
    "wan_vace": ({}, "WanVACEPipeline", 9, 8),
    "skyreels_i2v": ({}, "SkyReelsV2ImageToVideoPipeline", 9, 8),
    "skyreels_df": ({}, "SkyReelsV2DiffusionForcingImageToVideoPipeline", 9, None),
    "ltx": ({"frames": 17}, "LTXConditionPipeline", 17, 16),
    "ltx2": ({"frames": 25, "options": {"max_prompt_tokens": 32}}, "LTX2ConditionPipeline", 18, 17),
    "framepack": (
        {"options": {"latent_window": 3, "max_prompt_tokens": 16}}, "HunyuanVideoFramepackPipeline", 13, None,
    ),
}  # fmt: skip


# Among the latents, those that are made: the given frames' own tokens lie beside them.
MADE = {"skyreels_df": np.s_[:, :, :-1], "ltx": np.s_[:, 4:], "ltx2": np.s_[:, :-4]}


def images(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first, last = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    return first, last


def model_of(folder: Path, **generation) -> VideoModel:
    return VideoModel(tiny_preset(**{**SIZE, **generation}), folder, CPU)


@pytest.fixture(scope="module")
def loaded(checkpoint):
    """Models by name, loaded once."""
    models: dict[str, VideoModel] = {}

    def find(name: str) -> VideoModel:
        if name not in models:
            models[name] = model_of(checkpoint(name), **USABLE[name][0])
        return models[name]

    return find


def watched(model: VideoModel, last: np.ndarray | None = None) -> tuple[list[float], torch.Tensor]:
    """Times at which the model denoises, and the latents that it ends with."""
    first, usual_last = images()
    seen: list[tuple[float, torch.Tensor]] = []
    generate = model.family.generate
    try:

        def watching(pipeline, request, generator, watch):
            def noting(pipe, number, timestep, tensors):
                seen.append((float(torch.as_tensor(timestep).flatten()[0]), tensors["latents"].clone()))
                return watch(pipe, number, timestep, tensors)

            return generate(pipeline, request, generator, noting)

        model.family.generate = watching
        model.generate(ClipRequest(first, usual_last if last is None else last, "a room", 5))
    finally:
        del model.family.generate
    return [time for time, _ in seen], seen[-1][1]


def times(model: VideoModel) -> list[float]:
    """Times at which the model denoises."""
    return watched(model)[0]


@pytest.mark.parametrize("name", USABLE)
def test_a_clip_leads_from_image_to_image(loaded, name: str) -> None:
    """The last image counts, seeds count, and the same request gives the same frames."""
    model = loaded(name)
    _, pipeline, frames, last_index = USABLE[name]
    first, last = images()
    steps: list[tuple[int, int]] = []
    made = model.generate(ClipRequest(first, last, "a room", 5), lambda done, total: steps.append((done, total)))
    assert model.settings["pipeline"] == pipeline
    assert made.frames.shape == (frames, 64, 64, 3)
    assert made.last_index == last_index
    total = steps[0][1]
    assert steps == [(k + 1, total) for k in range(total)]
    again = model.generate(ClipRequest(first, last, "a room", 5))
    assert np.array_equal(again.frames, made.frames)
    other_seed = model.generate(ClipRequest(first, last, "a room", 6))
    assert not np.array_equal(other_seed.frames, made.frames)
    latents, changed = (watched(model, image)[1][MADE.get(name, np.s_[:])] for image in (last, 255 - last))
    assert float((changed - latents).abs().max()) > 1e-5, "the last image is ignored"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wan_ti2v_5b", "ignores the last frame"),
        ("wan_t2v", "videos of text alone"),
    ],
)
def test_what_would_ignore_the_last_frame_is_refused_with_the_reason(checkpoint, name: str, reason: str) -> None:
    """Told from the configuration: the folder's name says nothing."""
    with pytest.raises(VideoCheckpointError, match=reason):
        model_of(checkpoint(name))


def test_an_autoencoder_before_ltx_095_is_refused(tmp_path: Path) -> None:
    old = {
        "down_block_types": ("LTXVideoDownBlock3D",) * 4, "downsample_type": ("conv",) * 4,
        "block_out_channels": (8, 8, 8, 8),
    }  # fmt: skip
    tiny_checkpoints.ltx(**old).save_pretrained(tmp_path)
    with pytest.raises(VideoCheckpointError, match=r"0\.9\.5"):
        family_of(read_checkpoint(tmp_path)).capability(read_checkpoint(tmp_path))


def test_capability_is_read_from_the_configuration(checkpoint) -> None:
    both = VideoModel(tiny_preset(), checkpoint("wan_flf2v"), CPU).capability
    assert (both.trained_for_last_frame, both.frame_step, both.size_step) == (True, 4, 16)
    one = VideoModel(tiny_preset(), checkpoint("wan_a14b"), CPU).capability
    assert not one.trained_for_last_frame
    assert "trained" in one.note


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("wan_vace", {"frames": 10}, "9 or 13"),
        ("wan_vace", {"width": 72}, "multiples of 16"),
        ("ltx", {"frames": 13}, "9 or 17"),
        ("ltx2", {"frames": 9}, "17 or 25"),
        ("ltx2", {"frames": 17, "width": 80}, "multiples of 32"),
        ("wan_vace", {"options": {"decode_noise": 1.0}}, "decode_noise"),
    ],
)
def test_sizes_and_options_that_do_not_fit_are_said_before_loading(checkpoint, name: str, changed, message) -> None:
    with pytest.raises(ValueError, match=message):
        model_of(checkpoint(name), **changed)


def test_flow_shift_moves_the_noise_levels(checkpoint) -> None:
    """sigma' = s sigma / (1 + (s - 1) sigma) of sigma = 1, 1/2 with s = 16; unshifted levels start just below 1."""
    seen = times(model_of(checkpoint("wan_flf2v"), options={"flow_shift": 16.0}))
    assert seen == pytest.approx([999.0, 1000 * 16 * 0.5 / (1 + 15 * 0.5)], abs=1.5)


def test_distilled_levels_are_taken_as_they_are_and_shared_between_both_transformers(checkpoint) -> None:
    levels = [1.0, 0.9375, 0.8333333, 0.625]
    model = model_of(checkpoint("wan_a14b"), steps=4, sigmas=levels, guidance=1.0)
    model.load()
    calls = []
    for name in ("transformer", "transformer_2"):
        getattr(model._pipeline, name).register_forward_pre_hook(lambda *_, name=name: calls.append(name))
    assert times(model) == pytest.approx([1000.0, 937.5, 833.3333, 625.0], abs=0.01)
    assert calls == ["transformer", "transformer", "transformer_2", "transformer_2"], "no second pass for guidance"


def test_ltx_is_denoised_at_the_distilled_times(checkpoint) -> None:
    chosen = [1000.0, 975.0, 725.0]
    settings = {"frames": 17, "guidance": 1.0, "options": {"timesteps": chosen}, **SIZE}
    model = VideoModel(tiny_preset(**settings, steps=3), checkpoint("ltx"), CPU)
    assert times(model) == pytest.approx(chosen)
    with pytest.raises(ValueError, match="trained at 3 noise levels"):
        VideoModel(tiny_preset(**settings, steps=2), checkpoint("ltx"), CPU)


def test_the_place_of_the_last_frame_in_ltx2(loaded) -> None:
    """diffusers itself puts the condition's token at the video frame that is taken for image B."""
    model = loaded("ltx2")
    model.load()
    seen = []
    hook = model._pipeline.transformer.register_forward_pre_hook(
        lambda module, arguments, named: seen.append(named["video_coords"]), with_kwargs=True
    )
    first, last = images()
    made = model.generate(ClipRequest(first, last, "a room", 0))
    hook.remove()
    tokens_per_frame = (64 // 32) ** 2
    keyframe = seen[0][0, 0, -tokens_per_frame:]
    start = torch.unique(keyframe[..., 0]) * 24.0
    assert start.tolist() == pytest.approx([made.last_index])
    assert made.last_index == len(made.frames) - 1 == last_frame_index(25, 8) == 17
    assert last_frame_index(121, 8) == 113


def test_an_old_diffusers_is_refused_before_it_freezes_the_last_frames(
    checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.38.2")
    with pytest.raises(VideoCheckpointError, match=r"diffusers 0\.38\.2 is installed, and 0\.40 or later is needed"):
        model_of(checkpoint("ltx2"), frames=17).load()


def test_a_pipeline_that_the_installed_diffusers_has_not_is_named(checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(checkpoint("wan_vace"))
    monkeypatch.setattr(type(model.family), "pipeline_class", lambda self, found: "WanTelepathyPipeline")
    with pytest.raises(VideoCheckpointError, match=r"diffusers .* has no WanTelepathyPipeline.*interpose-ros\[video\]"):
        model.load()


def test_the_image_encoder_of_fun_inp_sees_the_first_frame_alone(loaded) -> None:
    """Without places for two embeddings a pair would go through as a batch of two."""
    model = loaded("wan_i2v")
    model.load()
    seen = []
    hook = model._pipeline.image_encoder.register_forward_pre_hook(
        lambda module, arguments, named: seen.append(len(named["pixel_values"])), with_kwargs=True
    )
    first, last = images()
    model.generate(ClipRequest(first, last, "a room", 0))
    hook.remove()
    assert seen == [1]
    both = loaded("wan_flf2v")
    both.load()
    hook = both._pipeline.image_encoder.register_forward_pre_hook(
        lambda module, arguments, named: seen.append(len(named["pixel_values"])), with_kwargs=True
    )
    both.generate(ClipRequest(first, last, "a room", 0))
    hook.remove()
    assert seen == [1, 2]


@pytest.mark.parametrize("name", ["wan_vace", "framepack"])
def test_cancelled_between_two_steps(loaded, name: str) -> None:
    model = loaded(name)
    first, last = images()
    done: list[int] = []
    with pytest.raises(GenerationCancelled, match="1 of 2"):
        model.generate(ClipRequest(first, last, "a room", 0), lambda step, _: done.append(step), lambda: len(done) == 1)
    assert done == [1]
    assert len(model.generate(ClipRequest(first, last, "a room", 0)).frames), "the model is still usable"


def test_values_that_are_no_numbers_are_no_clip(checkpoint) -> None:
    model = model_of(checkpoint("wan_vace"))
    model.load()
    with torch.no_grad():
        model._pipeline.transformer.proj_out.weight.fill_(float("nan"))
    first, last = images()
    with pytest.raises(GenerationFailed, match="no numbers"):
        model.generate(ClipRequest(first, last, "a room", 0))


@pytest.mark.parametrize(("name", "asked"), [("wan_i2v", 1), ("wan_vace", 1), ("skyreels_i2v", 1), ("ltx", 0)])
def test_an_early_look_shows_what_the_clip_is_becoming(checkpoint, name: str, asked: int) -> None:
    """After the last step the predicted clean latents are the clip itself; after the first they are close to no clip."""
    settings = {**SIZE, **USABLE[name][0], "steps": 4}
    first, last = images()
    seen: list[np.ndarray] = []
    for share in (0.25, 0.99):
        runtime = VideoRuntimeConfig(device="cpu", early_look=share)
        model = VideoModel(tiny_preset(**settings), checkpoint(name), runtime)
        made = model.generate(ClipRequest(first, last, "a room", 0), judge=lambda frames: seen.append(frames) or True)
    assert len(seen) == 2 * asked
    if asked:
        early, late = (np.abs(frames.astype(int) - made.frames).mean() for frames in seen)
        assert late < 0.5
        assert early > late
        with pytest.raises(GenerationCancelled, match="given up after 4 of 4"):
            model.generate(ClipRequest(first, last, "a room", 0), judge=lambda frames: False)


@pytest.mark.parametrize(
    "runtime",
    [
        {"vae_tiling": True},
        {"quantisation": "float8"},
        {"dtype": "bfloat16"},
        {"attention": "native"},
        {"step_cache": "first_block"},
    ],
    ids=lambda chosen: next(iter(chosen)),
)
def test_what_saves_time_or_memory_runs(checkpoint, runtime: dict[str, object]) -> None:
    model = VideoModel(tiny_preset(**SIZE), checkpoint("wan_i2v"), VideoRuntimeConfig(device="cpu", **runtime))
    first, last = images()
    assert model.generate(ClipRequest(first, last, "a room", 0)).frames.shape == (9, 64, 64, 3)


def test_settings_that_cannot_work_here_are_named(checkpoint) -> None:
    first, last = images()
    for runtime, message in (({"attention": "telepathy"}, "telepathy"), ({"offload": "model"}, "device is cpu")):
        model = VideoModel(tiny_preset(**SIZE), checkpoint("wan_vace"), VideoRuntimeConfig(device="cpu", **runtime))
        with pytest.raises(VideoCheckpointError, match=message):
            model.generate(ClipRequest(first, last, "a room", 0))


def test_lora_that_makes_a_model_do_with_few_steps_is_merged(checkpoint, tmp_path: Path) -> None:
    """A rank-one change of one layer, in the format of published ones, for each of both transformers."""
    import shutil

    from safetensors.torch import save_file

    folder = tmp_path / "model"
    shutil.copytree(checkpoint("wan_a14b"), folder)
    (folder / "loras").mkdir()
    layer = "blocks.0.attn1.to_q"
    for name, value in (("high", 0.1), ("low", 0.2)):
        down, up = torch.ones(1, 24), torch.full((24, 1), value)
        save_file(
            {f"transformer.{layer}.lora_A.weight": down, f"transformer.{layer}.lora_B.weight": up},
            folder / "loras" / f"{name}.safetensors",
        )
    lora = {"repository": "nobody/tiny", "licence": "none"}
    preset = tiny_preset(**SIZE).model_copy(update={
        "loras": tuple(
            type_of_lora(file=f"{name}.safetensors", second_transformer=name == "low", **lora) for name in ("high", "low")
        )
    })  # fmt: skip
    plain, added = model_of(checkpoint("wan_a14b")), VideoModel(preset, folder, CPU)
    plain.load()
    added.load()
    for name, value in (("transformer", 0.1), ("transformer_2", 0.2)):
        before, after = (
            dict(getattr(model._pipeline, name).named_parameters())[f"{layer}.weight"] for model in (plain, added)
        )
        assert torch.allclose(after - before, torch.full((24, 24), value), atol=1e-6)
    (folder / "loras" / "low.safetensors").unlink()
    with pytest.raises(VideoCheckpointError, match=r"low\.safetensors"):
        VideoModel(preset, folder, CPU).load()


def type_of_lora(**values):
    from interpose_ros.interpolation.diffusion.preset import PresetLora

    return PresetLora(**values)
