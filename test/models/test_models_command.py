"""``interpose models``: the list, the licence before anything is fetched, consent, and a pull."""

import hashlib
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from interpose_ros.cli import main
from interpose_ros.interpolation.diffusion.preset import shipped_presets
from interpose_ros.models import registry
from interpose_ros.models.registry import REGISTERED, Weights, WeightsFile, find_weights, locate_weights

from .publisher import Publisher, publishing

CONTENT = b"x" * 2**20
WEIGHTS = "da3_small"


@dataclass
class Result:
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, folder: Path, hub: str = "http://127.0.0.1:9") -> Result:
    """The command in this process; nobody sits at a terminal."""
    out, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(error):
        patch.setenv(registry.FOLDER_VARIABLE, str(folder))
        patch.setenv(registry.HUB_VARIABLE, hub)
        patch.setattr("sys.stdin", io.StringIO("yes\n"))
        code = main(["models", *arguments])
    return Result(code, out.getvalue(), error.getvalue())


def test_the_list_names_licence_and_place_of_all_weights(tmp_path: Path) -> None:
    result = run("--out", str(tmp_path / "models.json"), folder=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "models.json").read_text())}
    in_wheels = {"xfeat", "lighterglue", "aliked_n16", "lightglue_aliked"}
    assert rows.keys() == {*REGISTERED, *shipped_presets(), *in_wheels}
    assert (rows["xfeat"]["licence"], rows["aliked_n16"]["licence"]) == ("Apache-2.0", "BSD-3-Clause")
    dust3r = rows["dust3r_512_dpt"]
    assert dust3r["licence"] == "CC BY-NC-SA 4.0"
    assert dust3r["on_disk"] is None
    assert dust3r["expected"] == str(tmp_path / "dust3r_512_dpt")
    assert dust3r["bytes"] == 2_284_684_832
    assert Path(rows["xfeat"]["on_disk"]).is_file()
    for name in rows:
        assert name in result.stdout


def test_without_consent_nobody_is_asked_for_anything(tmp_path: Path) -> None:
    """Text that arrives on a pipe is no consent: nobody read the licence."""
    with publishing(Publisher(CONTENT)) as publisher:
        result = run("pull", "dust3r_512_dpt", folder=tmp_path, hub=publisher.address)
    assert result.returncode == 2
    assert "CC BY-NC-SA 4.0" in result.stdout
    assert "Not for commercial use" in result.stdout
    assert publisher.requests == []
    assert list(tmp_path.iterdir()) == []


def test_pull_with_consent(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT)) as publisher:
        result = run("pull", WEIGHTS, "--accept-licence", folder=tmp_path, hub=publisher.address)
        assert result.returncode == 0, result.stderr
        asked = len(publisher.requests)
        again = run("pull", WEIGHTS, "--accept-licence", folder=tmp_path, hub=publisher.address)
        assert again.returncode == 0
        assert len(publisher.requests) == asked, "what is there is not fetched again"
    assert result.stdout.index("Apache-2.0") < result.stdout.index("is in")
    assert "model.safetensors" in result.stderr, "a progress bar"
    assert (tmp_path / WEIGHTS / "model.safetensors").read_bytes() == CONTENT
    record = json.loads((tmp_path / WEIGHTS / "origin.json").read_text())["model.safetensors"]
    assert record["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert record["verified"]
    assert record["licence"] == "Apache-2.0"
    assert "depth-anything/DA3-SMALL/resolve/main/model.safetensors" in record["url"]
    listed = run(folder=tmp_path)
    assert str(tmp_path / WEIGHTS) in listed.stdout


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("y", 2)])
def test_consent_at_a_terminal(tmp_path: Path, typed: str, code: int) -> None:
    controller, terminal = pty.openpty()
    with publishing(Publisher(CONTENT)) as publisher:
        environment = {
            **os.environ, registry.FOLDER_VARIABLE: str(tmp_path), registry.HUB_VARIABLE: publisher.address,
        }  # fmt: skip
        command = [sys.executable, "-m", "interpose_ros.cli", "models", "pull", WEIGHTS]
        os.write(controller, f"{typed}\n".encode())
        result = subprocess.run(
            command, env=environment, stdin=terminal, capture_output=True, text=True, timeout=100, check=False
        )
    os.close(controller)
    os.close(terminal)
    assert result.returncode == code, result.stderr
    assert "Do you agree to Apache-2.0?" in result.stdout
    assert (tmp_path / WEIGHTS / "model.safetensors").exists() == (code == 0)


def test_what_is_published_must_have_the_size_of_these_weights(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT)) as publisher:
        result = run("pull", "dust3r_224_linear", "--accept-licence", folder=tmp_path, hub=publisher.address)
    assert result.returncode == 1
    assert "between 2129371136 and" in result.stderr
    assert not (tmp_path / "dust3r_224_linear" / "model.safetensors").exists()


def test_an_unknown_name_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    result = run("pull", "nothing", "--accept-licence", folder=tmp_path)
    assert result.returncode == 1
    assert "dust3r_512_dpt" in result.stderr
    assert "wan21_vace_1_3b" in result.stderr


def test_no_connection_is_an_error_in_words(tmp_path: Path) -> None:
    with publishing(Publisher(CONTENT, errors=[404])) as publisher:
        result = run("pull", WEIGHTS, "--accept-licence", folder=tmp_path, hub=publisher.address)
    assert result.returncode == 1
    assert "404" in result.stderr
    assert "Traceback" not in result.stderr


def test_publishers_of_the_public_checkpoints() -> None:
    """The official names; a sum of sizes times four bytes is the least that a file can have."""
    for size, head in ((224, "linear"), (512, "linear"), (512, "dpt")):
        weights = find_weights(f"dust3r_{size}_{head}")
        name = f"DUSt3R_ViTLarge_BaseDecoder_{size}_{head}"
        config, model = weights.sources["hub"]
        assert model.address().endswith(f"/naver/{name}/resolve/main/model.safetensors")
        assert config.address().endswith(f"/naver/{name}/resolve/main/config.json")
        (single,) = weights.sources["naverlabs"]
        assert single.url == f"https://download.europe.naverlabs.com/ComputerVision/DUSt3R/{name}.pth"
        assert "commercial" in weights.licence_note
    with pytest.raises(ValueError, match="dust3r_512_dpt"):
        find_weights("dust3r")


def test_weights_are_found_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"dust3r\.weights"):
        locate_weights(None)
    with pytest.raises(FileNotFoundError, match="interpose models pull dust3r_512_dpt"):
        locate_weights("dust3r_512_dpt")
    with pytest.raises(FileNotFoundError, match="interpose models"):
        locate_weights(str(tmp_path / "nothing.pth"))
    folder = tmp_path / "dust3r_512_dpt"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError):
        locate_weights("dust3r_512_dpt")
    (folder / "model.safetensors").write_bytes(b"x")
    assert locate_weights("dust3r_512_dpt") == folder
    (folder / "model.safetensors").unlink()
    single = folder / "DUSt3R_ViTLarge_BaseDecoder_512_dpt.pth"
    single.write_bytes(b"x")
    assert locate_weights("dust3r_512_dpt") == single
    assert locate_weights(str(single)) == single


def test_default_folder_is_in_the_users_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert registry.weights_folder() == tmp_path / "interpose_ros" / "models"


def test_weights_of_one_file_are_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    weights = Weights("one", "dust3r", "", "", "", "", None, {"here": (WeightsFile("one.pth", "", 1, 2),)})
    assert weights.location() is None
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "one.pth").write_bytes(b"x")
    assert weights.location() == tmp_path / "one" / "one.pth"
