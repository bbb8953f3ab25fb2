"""Presets: the shipped ones are usable and say what they must, wrong ones are errors that name the setting."""

from pathlib import Path

import pytest

from interpose_ros.interpolation.diffusion.ltx import LtxOptions
from interpose_ros.interpolation.diffusion.model import VideoModel
from interpose_ros.interpolation.diffusion.preset import find_preset, read_preset, shipped_presets
from interpose_ros.interpolation.video_config import VideoConfig, VideoRuntimeConfig

PRESETS = shipped_presets()
TINY = {
    "wan21_flf2v_14b": "wan_flf2v", "wan21_fun_1_3b_inp": "wan_i2v", "wan21_vace_1_3b": "wan_vace",
    "wan22_i2v_a14b": "wan_a14b", "wan22_i2v_a14b_4step": "wan_a14b", "ltx_13b_distilled": "ltx",
    "ltx2_19b_distilled": "ltx2", "framepack_i2v_hy": "framepack", "skyreels_v2_df_1_3b": "skyreels_df",
}  # fmt: skip


def test_there_is_one_for_quality_one_for_speed_and_a_small_one() -> None:
    assert {preset.purpose for preset in PRESETS.values()} >= {"quality", "speed", "small"}
    assert PRESETS.keys() == TINY.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_a_shipped_preset_fits_its_kind_of_model(checkpoint, name: str) -> None:
    """Frames, sides and options, by the configuration of a small model of the same kind."""
    model = VideoModel(PRESETS[name], checkpoint(TINY[name]), VideoRuntimeConfig(device="cpu"))
    assert model.settings["model"] == PRESETS[name].sources[0].repository
    assert PRESETS[name].licence_note
    assert PRESETS[name].memory_gigabytes > PRESETS[name].working_gigabytes


def test_the_recipe_of_the_model_trained_with_both_frames() -> None:
    made = PRESETS["wan21_flf2v_14b"].generation
    assert (made.steps, made.guidance, made.options["flow_shift"]) == (50, 5.5, 16.0)
    assert made.negative_prompt.startswith("镜头切换，")


def test_four_steps_are_the_shifted_levels_that_the_weights_were_trained_at() -> None:
    """Times 1000, 750, 500 and 250, shifted by 5, and no guidance."""
    made = PRESETS["wan22_i2v_a14b_4step"].generation
    shifted = [5 * level / (1 + 4 * level) for level in (1.0, 0.75, 0.5, 0.25)]
    assert made.sigmas == pytest.approx(shifted)
    assert (made.guidance, made.steps) == (1.0, 4)
    assert [lora.second_transformer for lora in PRESETS["wan22_i2v_a14b_4step"].loras] == [False, True]


def test_distilled_ltx_is_asked_at_its_times_without_guidance() -> None:
    made = PRESETS["ltx_13b_distilled"].generation
    options = LtxOptions.model_validate(dict(made.options))
    assert (len(options.timesteps), options.timesteps[0], made.guidance) == (8, 1000.0, 1.0)
    levels = PRESETS["ltx2_19b_distilled"].generation
    from diffusers.pipelines.ltx2.utils import DISTILLED_SIGMA_VALUES

    assert list(levels.sigmas) == DISTILLED_SIGMA_VALUES
    assert levels.guidance == 1.0


TEXT = """
description: x
purpose: small
size: x
sources: [{repository: a/b}]
licence: x
licence_url: x
licence_note: x
download_gigabytes: 1
memory_gigabytes: 1
working_gigabytes: 1
generation: {width: 832, height: 480, frames: 81, steps: 4, guidance: 1.0}
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("steps: 4", "steps: 0"), "generation.steps"),
        (("steps: 4", "steps: 4, colour: red"), "generation.colour"),
        (("a/b", "../b"), "repository"),
        (("purpose: small", "purpose: nice"), "purpose"),
        (("width: 832, height: 480, frames: 81", "width: 2048, height: 1024, frames: 801"), "more than"),
        (("guidance: 1.0", "guidance: 1.0, sigmas: [0.5, 0.9]"), "noise levels fall"),
        (("description: x", "description: ["), "cannot be read"),
    ],
)
def test_wrong_presets_are_errors(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    assert read_preset(path).name == "mine"
    path.write_text(TEXT.replace(*change))
    with pytest.raises(ValueError, match=message):
        read_preset(path)


def test_presets_are_found_by_name_or_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    assert find_preset(str(path)).name == "mine"
    assert find_preset("wan21_vace_1_3b").purpose == "small"
    with pytest.raises(ValueError, match="there are framepack_i2v_hy"):
        find_preset("sora")
    with pytest.raises(ValueError, match="no preset"):
        find_preset("../video_presets/wan21_vace_1_3b")


def test_video_is_off_by_default_and_prompts_are_checked() -> None:
    assert VideoConfig().preset == ""
    with pytest.raises(ValueError, match="speaks of the camera"):
        VideoConfig(prompts=("The camera pans left over a kitchen.",))
    with pytest.raises(ValueError, match="at least one"):
        VideoConfig(prompts=())
