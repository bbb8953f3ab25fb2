"""`interpose models pull` of a video model: the right files of the right repositories, resumed, checked, after consent."""

import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from interpose_ros.cli import main
from interpose_ros.interpolation.diffusion.checkpoint import read_checkpoint
from interpose_ros.interpolation.diffusion.model import VideoModel
from interpose_ros.interpolation.diffusion.preset import PresetLora, PresetSource, shipped_presets
from interpose_ros.interpolation.video_config import VideoRuntimeConfig
from interpose_ros.models import registry
from interpose_ros.models.download import DownloadError
from interpose_ros.models.snapshot import preset_location, pull_preset

from .conftest import tiny_preset
from .hub import COMMIT, Hub, serving

VACE = "Wan-AI/Wan2.1-VACE-1.3B-diffusers"
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models are expected."""
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def published(checkpoint, tmp_path: Path) -> Path:
    """A repository with a model, and things beside it that must not be fetched."""
    folder = Path(shutil.copytree(checkpoint("wan_vace"), tmp_path / "published"))
    (folder / "README.md").write_text("read me")
    (folder / "all_in_one.safetensors").write_bytes(b"x" * 1000)
    (folder / "transformer" / "modeling.py").write_text("print('code')")
    (folder / "transformer" / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    (folder / "transformer" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"variant")
    (folder / "unrelated").mkdir()
    (folder / "unrelated" / "config.json").write_text("{}")
    return folder


def run(*arguments: str, hub: str) -> tuple[int, str, str]:
    out, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        patch.setenv(registry.HUB_VARIABLE, hub)
        patch.setattr("sys.stdin", io.StringIO("yes\n"))
        return main(["models", *arguments]), out.getvalue(), error.getvalue()


def test_pull_after_consent(models: Path, published: Path) -> None:
    with serving(Hub({VACE: published})) as hub:
        status, out, error = run("pull", "wan21_vace_1_3b", "--accept-licence", hub=hub.address)
        assert status == 0, error
        asked = len(hub.requests)
        again = run("pull", "wan21_vace_1_3b", "--accept-licence", hub=hub.address)
        fetched = [path for path, _ in hub.requests[asked:] if path.startswith("/storage")]
    assert out.index("Apache-2.0") < out.index("is in")
    assert "diffusion_pytorch_model.safetensors" in error, "progress"
    assert again[0] == 0
    assert fetched == ["/storage/" + VACE + "/model_index.json"], "only the list of parts is asked for again"
    folder = models / "wan21_vace_1_3b"
    assert (folder / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"model_index.json", WEIGHTS, "tokenizer/tokenizer.json", "origin.json"} <= names
    assert not any(name.endswith((".py", ".bin", ".md", ".part")) or "fp16" in name for name in names)
    assert not any(name.startswith(("unrelated", "all_in_one")) for name in names)
    record = json.loads((folder / "origin.json").read_text())[WEIGHTS]
    assert (record["commit"], record["licence"], record["verified"]) == (COMMIT, "Apache-2.0", True)
    assert f"/{VACE}/resolve/{COMMIT}/{WEIGHTS}" in record["url"]
    assert read_checkpoint(folder).pipeline == "WanVACEPipeline"
    preset = shipped_presets()["wan21_vace_1_3b"]
    assert VideoModel(preset, folder, VideoRuntimeConfig(device="cpu")).family.name == "wan_vace"


def test_the_list_says_what_is_there(models: Path, published: Path, tmp_path: Path) -> None:
    with serving(Hub({VACE: published})) as hub:
        run("pull", "wan21_vace_1_3b", "--accept-licence", hub=hub.address)
    status, out, _ = run("--out", str(tmp_path / "list.json"), hub="http://127.0.0.1:9")
    rows = {row["name"]: row for row in json.loads((tmp_path / "list.json").read_text())}
    assert status == 0
    assert rows["wan21_vace_1_3b"]["on_disk"] == str(models / "wan21_vace_1_3b")
    assert rows["wan21_flf2v_14b"]["on_disk"] is None
    assert rows["wan21_flf2v_14b"]["expected"] == str(models / "wan21_flf2v_14b")
    assert rows["framepack_i2v_hy"]["licence"] == "Tencent Hunyuan Community License"
    for name, preset in shipped_presets().items():
        assert rows[name]["purpose"] == preset.purpose
        assert name in out


def test_without_consent_nobody_is_asked(models: Path, published: Path) -> None:
    with serving(Hub({VACE: published})) as hub:
        status, out, _ = run("pull", "wan21_vace_1_3b", hub=hub.address)
        assert hub.requests == []
    assert status == 2
    assert "Licence of the weights: Apache-2.0" in out
    assert not models.exists()


def test_goes_on_where_it_was_cut_off(models: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = shipped_presets()["wan21_vace_1_3b"]
    with serving(Hub({VACE: published}, cut={WEIGHTS: 1000})) as hub:
        monkeypatch.setenv(registry.HUB_VARIABLE, hub.address)
        pull_preset(preset, lambda name, done, total: None, pause=0.01)
        ranges = [asked for path, asked in hub.requests if path.endswith(WEIGHTS) and asked]
    assert "bytes=1000-" in ranges
    assert (models / "wan21_vace_1_3b" / WEIGHTS).read_bytes() == (published / WEIGHTS).read_bytes()


def test_half_a_model_is_not_there(models: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption leaves a model that neither the list nor an estimate takes for whole."""
    preset = shipped_presets()["wan21_vace_1_3b"]

    def interrupt(name: str, done: int, total: int | None) -> None:
        if name == "vae/config.json":
            raise KeyboardInterrupt

    with serving(Hub({VACE: published})) as hub:
        monkeypatch.setenv(registry.HUB_VARIABLE, hub.address)
        with pytest.raises(KeyboardInterrupt):
            pull_preset(preset, interrupt)
        assert preset_location(preset) is None
        assert pull_preset(preset, lambda name, done, total: None) == preset_location(preset)


def test_put_together_from_several_repositories_with_added_weights(
    models: Path, checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FramePack: a transformer at the top of one repository, the rest in another, and an index of our own."""
    whole = checkpoint("framepack")
    transformer = Path(shutil.copytree(whole / "transformer", tmp_path / "transformer"))
    lora = tmp_path / "lora"
    lora.mkdir()
    shutil.copy(whole / "vae" / "diffusion_pytorch_model.safetensors", lora / "four_steps.safetensors")
    index = json.loads((whole / "model_index.json").read_text())
    parts = [name for name in index if not name.startswith("_") and name != "transformer"]
    preset = tiny_preset().model_copy(update={
        "sources": (
            PresetSource(repository="somebody/Transformer", folders={"transformer": "."}),
            PresetSource(repository="somebody/Rest", folders={name: name for name in parts}),
        ),
        "model_index": index,
        "loras": (PresetLora(repository="somebody/Lora", file="four_steps.safetensors", licence="x"),),
    })  # fmt: skip
    hub = Hub({"somebody/Transformer": transformer, "somebody/Rest": whole, "somebody/Lora": lora})
    with serving(hub):
        monkeypatch.setenv(registry.HUB_VARIABLE, hub.address)
        folder = pull_preset(preset, lambda name, done, total: None)
    assert read_checkpoint(folder).pipeline == "HunyuanVideoFramepackPipeline"
    assert (folder / "loras" / "four_steps.safetensors").is_file()


@pytest.mark.parametrize(("status", "message"), [(404, "there is no such"), (401, "must be agreed to on the hub")])
def test_what_the_hub_refuses(models: Path, published: Path, status: int, message: str) -> None:
    with serving(Hub({VACE: published}, status=status)) as hub:
        code, _, error = run("pull", "wan21_vace_1_3b", "--accept-licence", hub=hub.address)
    assert code == 1
    assert message in error
    assert "Traceback" not in error


def test_a_disk_without_room_is_said_before_anything_is_fetched(
    models: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Hub({VACE: published})) as hub:
        monkeypatch.setenv(registry.HUB_VARIABLE, hub.address)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
        with pytest.raises(DownloadError, match="has room for"):
            pull_preset(shipped_presets()["wan21_vace_1_3b"], lambda name, done, total: None)
        assert not any(path.endswith(WEIGHTS) for path, _ in hub.requests)
