"""Tiny video models, each made once per run, and no network: a model is loaded from its folder alone."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("diffusers", reason="video models need the extra `video`")

from interpose_ros.config import InterposeConfig
from interpose_ros.interpolation.diffusion.preset import VideoPreset
from interpose_ros.matching.store import MatchStore

from . import tiny_checkpoints


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a tiny model by name; not to be written to."""
    folder = tmp_path_factory.mktemp("video_models")
    made: dict[str, Path] = {}

    def find(name: str) -> Path:
        if name not in made:
            made[name] = tiny_checkpoints.save(name, folder / name)
        return made[name]

    return find


@pytest.fixture(scope="session")
def store() -> MatchStore:
    """Matches with the default networks."""
    return MatchStore.with_default_networks(InterposeConfig())


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but this machine may be connected to."""
    connect = socket.socket.connect

    def local(self: socket.socket, address: object) -> None:
        assert not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1"), f"a connection to {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local)


def tiny_preset(**generation) -> VideoPreset:
    """A preset for a tiny model."""
    return VideoPreset(
        name="tiny",
        description="tiny",
        purpose="other",
        size="tiny",
        sources=[{"repository": "nobody/tiny"}],
        licence="none",
        licence_url="none",
        licence_note="none",
        download_gigabytes=0.0,
        memory_gigabytes=0.1,
        working_gigabytes=0.01,
        dtype="float32",
        generation={"width": 96, "height": 64, "frames": 9, "steps": 2, "guidance": 1.5, **generation},
    )
