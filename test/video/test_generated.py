"""The interpolator: which clips it offers, in which order, made when they are asked for, and never made twice."""

from pathlib import Path

import numpy as np
import pytest

from interpose_ros.config import InterposeConfig
from interpose_ros.geometry.camera import Camera
from interpose_ros.interpolation.clip import Clip, ClipDirection, Interpolator
from interpose_ros.interpolation.diffusion.errors import GenerationFailed
from interpose_ros.interpolation.diffusion.family import GeneratedVideo
from interpose_ros.interpolation.diffusion.model import ClipRequest, VideoModel
from interpose_ros.interpolation.from_config import interpolators_from_config
from interpose_ros.interpolation.generated import ClipProgress, VideoInterpolator
from interpose_ros.interpolation.keyframe_crop import prepare_keyframes
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.interpolation.video_config import ClipCacheConfig, VideoConfig, VideoRuntimeConfig
from interpose_ros.views import KeyframeId, View

from .conftest import tiny_preset

CPU = VideoRuntimeConfig(device="cpu")
CAMERA = Camera(np.array([[150.0, 0, 79.5], [0, 150.0, 59.5], [0, 0, 1]]), 160, 120)
PROMPTS = ("A kitchen with a white table.", "A room with a sink.")


def view(seed: int) -> View:
    image = np.random.default_rng(seed).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    return View(image, CAMERA, KeyframeId("camera", seed))


A, B = view(1), view(2)


@pytest.fixture(scope="module")
def model(checkpoint) -> VideoModel:
    return VideoModel(tiny_preset(), checkpoint("wan_vace"), CPU)


@pytest.fixture
def config(tmp_path: Path) -> VideoConfig:
    return VideoConfig(prompts=PROMPTS, seed=7, cache=ClipCacheConfig(folder=str(tmp_path / "clips")))


def pixels(clip: Clip) -> np.ndarray:
    return np.stack([frame.load().image for frame in clip.frames])


def setting(clip: Clip, name: str) -> str:
    return dict(clip.origin.settings)[name]


def test_forward_and_backward_in_turn_with_seeds_and_prompts(model, store, config) -> None:
    clips = list(VideoInterpolator(model, store, config).clips(A, B))
    assert [clip.origin.direction.value for clip in clips] == ["forward", "backward"] * 2
    assert [setting(clip, "seed") for clip in clips] == ["7", "7", "8", "8"]
    assert [setting(clip, "prompt") for clip in clips] == [PROMPTS[0]] * 2 + [PROMPTS[1]] * 2
    assert len({clip.origin.clip_id for clip in clips}) == 4
    for clip in clips:
        assert clip.origin.generated
        assert clip.origin.interpolator == "tiny"
        assert setting(clip, "model") == "nobody/tiny"
        assert setting(clip, "revision") == "main"
        assert {
            "last_reached",
            "last_inliers",
            "seam_a_inliers",
            "seam_b_jump",
            "near_duplicates",
        } <= clip.findings.keys()
        assert clip.findings["last_reached"] == 0.0, "random weights reach nothing"


def test_a_backward_clip_is_made_from_b_and_read_from_a(model, store, config) -> None:
    forward, backward, *_ = VideoInterpolator(model, store, config).clips(A, B)
    a, b = prepare_keyframes(A, B, 96, 64)
    made = model.generate(ClipRequest(a.image, b.image, PROMPTS[0], 7)).frames
    assert np.array_equal(pixels(forward), made[1:8])
    made = model.generate(ClipRequest(b.image, a.image, PROMPTS[0], 7)).frames
    assert np.array_equal(pixels(backward), made[1:8][::-1])


def test_exchanged_keyframes_give_the_same_clips_the_other_way_round(model, store, config) -> None:
    there = list(VideoInterpolator(model, store, config).clips(A, B))[:2]
    back = list(VideoInterpolator(model, store, config).clips(B, A))[:2]
    assert np.array_equal(pixels(back[0]), pixels(there[1])[::-1])
    assert np.array_equal(pixels(back[1]), pixels(there[0])[::-1])


def test_frames_say_that_no_camera_took_them(model, store, config) -> None:
    """They carry the intrinsics that the crop leads to, as a prior."""
    clip = next(VideoInterpolator(model, store, config).clips(A, B))
    views = [frame.load() for frame in clip.frames]
    assert not any(found.is_calibrated for found in views)
    expected = prepare_keyframes(A, B, 96, 64)[0].camera
    for found in views:
        assert np.array_equal(found.camera.K, expected.K)
    # 160 x 120 to 96 wide and cut to 64 rows
    assert expected.K[0, 0] == pytest.approx(150 * 96 / 160)
    names = [frame.keyframe_id for frame in clip.frames]
    assert len(set(names)) == len(names) == len(clip)
    assert names == [found.keyframe_id for found in views]


def test_each_clip_is_made_when_it_is_asked_for(model, store, config) -> None:
    seen: list[ClipProgress] = []
    clips = VideoInterpolator(model, store, config).observed(seen.append).clips(A, B)
    assert seen == []
    next(clips)
    assert [(done.clip, done.clips, done.step, done.steps) for done in seen] == [(1, 4, 1, 2), (1, 4, 2, 2)]
    next(clips)
    assert (seen[-1].clip, seen[-1].direction, seen[-1].cached) == (2, ClipDirection.BACKWARD, False)


def test_cancelled_clips_end_the_work(model, store, config) -> None:
    seen: list[ClipProgress] = []
    interpolator = VideoInterpolator(model, store, config).observed(seen.append, lambda: len(seen) >= 3)
    assert len(list(interpolator.clips(A, B))) == 1
    assert len(seen) == 3, "stopped after the first step of the second clip"


def test_nothing_is_made_twice(model, store, config, tmp_path: Path) -> None:
    first = list(VideoInterpolator(model, store, config).clips(A, B))
    seen: list[ClipProgress] = []
    again = list(VideoInterpolator(model, store, config).observed(seen.append).clips(A, B))
    assert all(done.cached for done in seen)
    assert [clip.next_at_hand for clip in first] == [False] * 4
    assert [clip.next_at_hand for clip in again] == [True, True, True, False]
    assert [np.array_equal(pixels(x), pixels(y)) for x, y in zip(first, again, strict=True)] == [True] * 4
    for x, y in zip(first, again, strict=True):
        assert dict(y.findings) == pytest.approx(dict(x.findings), nan_ok=True)
    # one clip is cut off by a full disk or a lost plug: it alone is made again
    path = sorted((tmp_path / "clips").iterdir())[0]
    path.write_bytes(path.read_bytes()[:1000])
    seen.clear()
    assert len(list(VideoInterpolator(model, store, config).observed(seen.append).clips(A, B))) == 4
    assert sum(not done.cached for done in seen) == 2, "two steps of one clip"


def test_other_settings_make_other_clips(checkpoint, model, store, config) -> None:
    list(VideoInterpolator(model, store, config).clips(A, B))
    changed = [
        (model, config.model_copy(update={"seed": 100})),
        (model, config.model_copy(update={"prompts": ("A hall.",)})),
        (VideoModel(tiny_preset(guidance=2.0), checkpoint("wan_vace"), CPU), config),
        (VideoModel(tiny_preset(), checkpoint("wan_vace"), CPU, steps=1), config),
    ]
    for other_model, other_config in changed:
        seen: list[ClipProgress] = []
        next(VideoInterpolator(other_model, store, other_config).observed(seen.append).clips(A, B))
        assert not seen[0].cached


def answering(video) -> type[VideoModel]:
    """A model whose clips are given."""

    class Given(VideoModel):
        def generate(self, clip, progress=None, cancelled=None, judge=None):
            return video(clip)

    return Given


def test_a_clip_that_stands_still_is_left_out(checkpoint, store, config) -> None:
    def still(clip: ClipRequest) -> GeneratedVideo:
        return GeneratedVideo(np.repeat(clip.first[None], 9, axis=0), 8)

    model = answering(still)(tiny_preset(), checkpoint("wan_vace"), CPU)
    assert list(VideoInterpolator(model, store, config).clips(A, B)) == []


def test_near_duplicates_are_skipped_and_counted(checkpoint, store, config) -> None:
    def slow(clip: ClipRequest) -> GeneratedVideo:
        share = np.array([0, 0, 0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1])[:, None, None, None]
        return GeneratedVideo((clip.first * (1 - share) + clip.last * share).astype(np.uint8), 8)

    model = answering(slow)(tiny_preset(), checkpoint("wan_vace"), CPU)
    clip = next(VideoInterpolator(model, store, config).clips(A, B))
    assert len(clip) == 3
    assert (clip.findings["frames"], clip.findings["near_duplicates"]) == (7.0, 4.0)


def test_a_failed_clip_does_not_take_the_others_along(
    checkpoint, store, config, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def second_fails(clip: ClipRequest) -> GeneratedVideo:
        asked.append(clip.seed)
        if len(asked) == 2:
            raise GenerationFailed("ran out of memory")
        rng = np.random.default_rng(len(asked))
        return GeneratedVideo(rng.integers(0, 256, (9, 64, 96, 3), dtype=np.uint8), None)

    model = answering(second_fails)(tiny_preset(), checkpoint("wan_vace"), CPU)
    clips = list(VideoInterpolator(model, store, config).clips(A, B))
    assert [clip.origin.direction.value for clip in clips] == ["forward", "forward", "backward"]
    assert "ran out of memory" in caplog.text
    assert len(clips[0]) == 8, "image B comes after the last frame"
    assert "last_reached" not in clips[0].findings


def test_what_leads_nowhere_is_given_up_early(checkpoint, store, config, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    runtime = VideoRuntimeConfig(device="cpu", early_look=0.5)
    model = VideoModel(tiny_preset(steps=4), checkpoint("wan_vace"), runtime)
    seen: list[ClipProgress] = []
    assert list(VideoInterpolator(model, store, config).observed(seen.append).clips(A, B)) == []
    assert [done.step for done in seen] == [1, 2] * 4
    assert "given up after 2 of 4 steps" in caplog.text


def test_captions_come_before_configured_prompts(model, store, config) -> None:
    told = VideoInterpolator(model, store, config, lambda a, b: ("A pantry.",))
    assert setting(next(told.clips(A, B)), "prompt") == "A pantry."
    silent = VideoInterpolator(model, store, config, lambda a, b: ())
    assert setting(next(silent.clips(A, B)), "prompt") == PROMPTS[0]


def test_recorded_frames_come_before_video(checkpoint, store, tmp_path: Path) -> None:
    preset = tmp_path / "tiny.yaml"
    preset.write_text(tiny_preset().model_dump_json(exclude={"name"}))  # JSON is YAML
    video = VideoConfig(preset=str(preset), folder=str(checkpoint("wan_vace")), runtime=CPU)
    recorded = ListedFramesInterpolator([])
    found = interpolators_from_config(InterposeConfig(video=video), store, [recorded])
    assert found[0] is recorded
    assert [interpolator.name for interpolator in found] == ["recorded", "tiny"]
    assert all(isinstance(interpolator, Interpolator) for interpolator in found)
    assert interpolators_from_config(InterposeConfig(), store, [recorded]) == [recorded]
    missing = VideoConfig(preset="wan21_vace_1_3b", folder=str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="interpose models pull wan21_vace_1_3b"):
        interpolators_from_config(InterposeConfig(video=missing), store)
