"""Two runs side by side: a difference that is there is found, chance is not taken for one, nor are hard scenes."""

import json
from pathlib import Path

import numpy as np
import pytest

from interpose_ros.cli import main
from interpose_ros.evaluation.report.comparison import compare_runs
from interpose_ros.evaluation.report.run_folder import RunFolder, RunFolderError, read_run
from interpose_ros.exit_status import EXIT_FAILED, EXIT_OK

from .made_up_run import row, write_run


def runs(errors_a: np.ndarray, errors_b: np.ndarray, scenes: int = 20) -> tuple[RunFolder, RunFolder]:
    """Two runs over the same related pairs with the given rotation errors."""

    def made(errors: np.ndarray, name: str) -> RunFolder:
        rows = []
        for number, error in enumerate(errors):
            found = row(0, f"a/{number}.jpg", f"b/{number}.jpg", np.random.default_rng(0))
            found |= {
                "pair": number, "scene": f"s{number % scenes}", "rotation_error_deg": float(error),
                "translation_error_deg": float(error), "translation_error_sign_blind_deg": float(error),
            }  # fmt: skip
            rows.append(found)
        return RunFolder(Path(name), {}, rows, {}, True)

    return made(errors_a, "A"), made(errors_b, "B")


def figures(a: RunFolder, b: RunFolder) -> dict:
    return {figure["name"]: figure for figure in compare_runs(a, b, draws=300).figures}


def test_a_difference_that_is_there_is_found_under_hard_scenes():
    rng = np.random.default_rng(0)
    hard = np.repeat([[2.0, 40.0]], 100, axis=0).ravel()  # every second pair
    hard = hard.reshape(-1, 20)[:, rng.permutation(20)].ravel()
    a = hard * rng.uniform(0.8, 1.2, 200)
    found = figures(*runs(a, 0.8 * a))
    area = found["AUC at 5°"]
    assert area["difference"] == pytest.approx(area["b"] - area["a"])
    assert area["verdict"] == "B is better"
    # The scenes alone differ far more than the runs do; paired draws do not mind.
    low, high = area["interval_95"]
    assert 0 < low < area["difference"] < high < 0.15
    assert found["seconds per pair, mean"]["verdict"] == "no difference shown"
    assert figures(*runs(0.8 * a, a))["AUC at 5°"]["verdict"] == "A is better"


def test_chance_is_not_taken_for_a_difference():
    rng = np.random.default_rng(1)
    a, b = rng.gamma(1.0, 4.0, (2, 200))
    assert figures(*runs(a, b))["AUC at 10°"]["verdict"] == "no difference shown"


def test_few_scenes_tell_nothing():
    found = figures(*runs(np.full(40, 1.0), np.full(40, 20.0), scenes=3))
    assert found["rotation within 5°"]["difference"] == -1.0
    assert found["rotation within 5°"]["interval_95"] is None
    assert found["rotation within 5°"]["verdict"] == "not known: fewer than 5 scenes"


def test_only_pairs_that_both_have_are_compared():
    a, b = runs(np.ones(30), np.ones(30))
    shorter = RunFolder(b.path, {}, b.rows[5:], {}, True)
    found = compare_runs(a, shorter, draws=20)
    assert (len(found.rows_a), found.only_a, found.only_b) == (25, 5, 0)
    assert all(x["image0"] == y["image0"] for x, y in zip(found.rows_a, found.rows_b, strict=True))


def test_the_command_prints_and_writes(tmp_path, capsys):
    first, second = (write_run(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "two")))
    page = tmp_path / "both.html"
    assert main(["compare", str(first), str(second), "--out", str(page)]) == EXIT_OK
    printed = capsys.readouterr().out
    assert "rotation within 5°" in printed
    assert "no difference shown" in printed
    assert printed.strip().endswith(str(page))
    assert page.read_text(encoding="utf-8").count("</script>") == 2


def test_runs_of_other_images_are_a_sentence(tmp_path, capsys):
    first, second = (write_run(tmp_path / name / "run", pairs=5) for name in ("one", "two"))
    rows = [json.loads(line) for line in (second / "rows.jsonl").read_text().splitlines()]
    for number, found in enumerate(rows):
        found["image0"] = f"elsewhere/{number}.jpg"
    (second / "rows.jsonl").write_text("".join(json.dumps(found) + "\n" for found in rows))
    assert main(["compare", str(first), str(second)]) == EXIT_FAILED
    assert "have no pair in common" in capsys.readouterr().err
    with pytest.raises(RunFolderError):
        compare_runs(read_run(first), read_run(second))
