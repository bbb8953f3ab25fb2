"""The calibrations that come with the package belong to the networks and settings that it uses by default."""

import pytest

from interpose_ros.config import FeatureConfig, InterposeConfig, TwoViewConfig
from interpose_ros.matching.fingerprint import fingerprint
from interpose_ros.matching.store import MatchStore
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.selection.confidence import shipped_calibrations


@pytest.fixture(scope="module")
def default_store() -> MatchStore:
    return MatchStore.with_default_networks(InterposeConfig())


def test_they_fit_the_default_networks(default_store, caplog):
    shipped = shipped_calibrations()
    assert shipped["matches", "matches"].model_hash == default_store.fingerprint
    pipeline = InterposePipeline(InterposeConfig(), default_store)
    hashes = pipeline.model_hashes()
    assert hashes["matches", "matches"] == default_store.fingerprint
    assert shipped["frames", "features"].model_hash == hashes["frames", "features"]
    assert "UNCALIBRATED" not in caplog.text


def test_the_second_opinion_fits_too():
    try:
        store = MatchStore.with_second_networks(InterposeConfig())
    except (ImportError, FileNotFoundError) as error:
        pytest.skip(f"the second networks cannot run here: {error}")
    assert shipped_calibrations()["matches", "matches_second"].model_hash == store.fingerprint


def test_other_settings_of_the_evidence_are_not_calibrated(default_store, caplog):
    other = InterposeConfig(two_view=TwoViewConfig(max_epipolar_error=3.0))
    store = MatchStore(default_store._extractor, default_store._matcher, other)
    InterposePipeline(other, store)
    assert "answers of matches in the branch matches stay UNCALIBRATED" in caplog.text


def test_settings_that_change_no_evidence_change_no_fingerprint(default_store):
    bigger = InterposeConfig(features=FeatureConfig(cache_megabytes=1000.0))
    store = MatchStore(default_store._extractor, default_store._matcher, bigger)
    assert store.fingerprint == default_store.fingerprint


def test_the_version_of_the_wheel_does_not_count_but_its_content_does(monkeypatch, default_store, tmp_path):
    import importlib.metadata

    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.9")
    again = MatchStore.with_default_networks(InterposeConfig())
    assert "99.9" in again.name
    assert again.fingerprint == default_store.fingerprint
    (tmp_path / "a").write_bytes(b"weights")
    (tmp_path / "b").write_bytes(b"weightz")
    assert fingerprint("net", tmp_path / "a", 3) != fingerprint("net", tmp_path / "b", 3)
    assert fingerprint("net", tmp_path / "a", 3) != fingerprint("net", tmp_path / "a", 4)
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
