"""Refinement of people in contact on scenes whose truth is known: `python benchmarks/bench_contact.py`.

Writes out/bench/contact.json. Scenes, noise and constraints come from fixed seeds (other ones than settings were chosen
on): interpose_ros/contact/synthetic.py says how. About 35 minutes on two quiet cores; `--scenes 10 --plain 1` for a look.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np

FIRST_SEED = 5000
WRONG_SHARE = 0.4
OTHERS = 30
COLUMNS = ("pcc", "pcc5", "pcc10", "pa_mpjpe_mm", "pa_mpjpe_p90_mm", "penetration_mm", "share_worse", "seconds")
_MODEL = None


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100, help="with right constraints; 30 of them also with others")
    parser.add_argument("--plain", type=int, default=15, help="scenes that the plain recipe is run on, too")
    parser.add_argument("--plain-iterations", type=int, default=1000, help="of the plain recipe, per stage")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/bench/contact.json"))
    options = parser.parse_args()

    from contact_growth import growth
    from tqdm import tqdm

    plain_every = max(options.scenes // max(options.plain, 1), 1)
    tasks = [
        (n, n < OTHERS, n % plain_every == 0 and n // plain_every < options.plain, options.plain_iterations)
        for n in range(options.scenes)
    ]
    with multiprocessing.get_context("spawn").Pool(options.processes, _prepare) as pool:
        rows = list(tqdm(pool.imap_unordered(_scene, tasks), total=len(tasks), unit="scene"))
    rows = [row for row in rows if row is not None]
    result = summarise(rows)
    result["assignment_by_contacts"] = growth()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print_table(result)


def _prepare() -> None:
    import torch

    from interpose_ros.contact.anny_body import AnnyBody

    global _MODEL  # noqa: PLW0603 (one model per process)
    torch.set_num_threads(1)
    _MODEL = AnnyBody.load()
    _MODEL.regions()


def _scene(task: tuple[int, bool, bool, int]) -> dict | None:
    from interpose_ros.contact.config import RefinementConfig
    from interpose_ros.contact.constraints import ConstraintOrigin, ContactConstraints, ContactSample, whole_bodies
    from interpose_ros.contact.refine import refine
    from interpose_ros.contact.synthetic import INTRINSICS, RECIPES, make_scene, named_contacts

    number, others, plain, plain_iterations = task
    names = list(RECIPES)
    name, level = names[number % len(names)], 1 + (number // len(names)) % 3
    seeds = range(FIRST_SEED + 10 * number, FIRST_SEED + 10 * number + 10)
    scene = next((s for s in (make_scene(_MODEL, name, level, seed) for seed in seeds) if s is not None), None)
    if scene is None:
        return None
    config = RefinementConfig()
    rng = np.random.default_rng(FIRST_SEED + number)

    def constraints(contacts, order_open=False):
        sample = ContactSample(tuple(contacts), order_open=order_open and len(scene.truth) == 2)
        return ContactConstraints((sample,), ConstraintOrigin.REQUEST)

    def run(given):
        began = time.monotonic()
        result = refine(scene.estimates, given, config, INTRINSICS)
        return {**_measure(scene, result.bodies), "seconds": time.monotonic() - began}, result

    right = constraints(named_contacts(scene, with_sides=True))
    heuristic = whole_bodies() if len(scene.truth) == 2 else constraints(())
    initial = {**_measure(scene, [person.body for person in scene.estimates]), "seconds": 0.0}
    ours, refinement = run(right)
    heuristic_row = run(heuristic)[0]
    row = {
        "name": scene.name,
        "level": level,
        "right": {"initial": initial, "heuristic": heuristic_row, "ours": ours},
    }
    if others:
        sets = {
            "wrong": constraints(_partly_wrong(scene, named_contacts(scene, with_sides=True), rng)),
            "no_sides": constraints(named_contacts(scene, with_sides=False), order_open=True),
            "none": constraints(()),
        }
        for kind, given in sets.items():
            row[kind] = {"initial": initial, "heuristic": heuristic_row, "ours": run(given)[0]}
    if plain:
        from contact_plain import plain_refine

        answer = plain_refine(scene.estimates, right, config, number, plain_iterations)
        row["right"]["plain"] = {**_measure(scene, answer.bodies), "seconds": answer.seconds}
        row["speedup"] = _speedup(refinement, answer)
    return row


def _partly_wrong(scene, contacts, rng):
    """Some contacts replaced by ones between parts drawn at random."""
    from interpose_ros.contact.constraints import Contact, ContactEnd
    from interpose_ros.contact.regions import GROUND, PAIR_PARTS, SIDED_PARTS, SIDES, SINGLE_PARTS

    other = len(scene.truth) - 1
    parts = [part for part in (PAIR_PARTS if other else SINGLE_PARTS) if part != GROUND]

    def end(body):
        part = parts[rng.integers(len(parts))]
        return ContactEnd(body, part, SIDES[rng.integers(2)] if part in SIDED_PARTS else None)

    changed = list(contacts)
    for place in rng.choice(len(changed), max(1, round(WRONG_SHARE * len(changed))), replace=False):
        changed[place] = Contact(end(0), end(other))
    return changed


def _measure(scene, bodies) -> dict[str, float]:
    from interpose_ros.contact import metrics
    from interpose_ros.contact.body_model import mesh

    vertices = [mesh(_MODEL, body).vertices[0] for body in bodies]
    distances = metrics.contact_distances(_MODEL, vertices, scene.touching)
    truth = metrics.joint_positions(_MODEL, scene.truth)
    return {
        "pcc": metrics.mean_correct_contacts(distances),
        "pcc5": metrics.correct_contacts(distances, 0.05),
        "pcc10": metrics.correct_contacts(distances, 0.10),
        "pa_mpjpe_mm": 1e3 * metrics.pa_mpjpe(metrics.joint_positions(_MODEL, bodies), truth),
        "penetration_mm": 1e3 * metrics.deepest_penetration(_MODEL, vertices),
        "relative_root_mm": 1e3 * metrics.relative_root_error(bodies, scene.truth),
    }


def _speedup(refinement, plain) -> float:
    """Ratio of the times after which both have reached the worse of their two final losses (within 1 %)."""
    before = refinement.seconds["prepare"] + refinement.seconds["contact"]
    ours = [(before + seconds, loss) for seconds, loss in refinement.trace[1]]
    # Its losses jump with the vertices that are drawn, so it has arrived when the mean of some has.
    losses = np.convolve([loss for _, loss in plain.trace], np.ones(10) / 10, mode="valid")
    theirs = [(seconds, loss) for (seconds, _), loss in zip(plain.trace[9:], losses, strict=True)]
    if not theirs:
        return float("nan")
    target = 1.01 * max(ours[-1][1], theirs[-1][1])
    times = [next((s for s, loss in trace if loss <= target), trace[-1][0]) for trace in (theirs, ours)]
    return times[0] / max(times[1], 1e-6)


def summarise(rows: list[dict]) -> dict:
    """Means over the scenes, as described in docs/contact.md."""
    result: dict = {"scenes": len(rows)}
    for kind in ("right", "wrong", "no_sides", "none"):
        having = [row[kind] for row in rows if kind in row]
        result[kind] = {"scenes": len(having)}
        for method in ("initial", "heuristic", "plain", "ours"):
            some = [group for group in having if method in group]
            if some:
                result[kind][method] = _columns([g[method] for g in some], [g["initial"] for g in some])
    speedups = [row["speedup"] for row in rows if "speedup" in row and np.isfinite(row["speedup"])]
    both = [row["right"] for row in rows if "plain" in row["right"]]
    if both:
        result["same_part_as_plain"] = {
            method: _columns([g[method] for g in both], [g["initial"] for g in both]) for method in ("ours", "plain")
        }
        result["speedup_over_plain"] = float(np.median(speedups)) if speedups else None
    result["by_scene"] = {
        name: _columns([r["right"]["ours"] for r in some], [r["right"]["initial"] for r in some])
        for name in sorted({row["name"] for row in rows})
        if (some := [row for row in rows if row["name"] == name])
    }
    return result


def _columns(rows: list[dict], initial: list[dict]) -> dict[str, float]:
    errors = np.array([row["pa_mpjpe_mm"] for row in rows])
    change = errors - np.array([row["pa_mpjpe_mm"] for row in initial])
    columns = {
        key: float(np.mean([row[key] for row in rows]))
        for key in ("pcc", "pcc5", "pcc10", "pa_mpjpe_mm", "penetration_mm", "seconds")
    }
    roots = [row["relative_root_mm"] for row in rows if np.isfinite(row["relative_root_mm"])]
    return {
        **columns,
        "pa_mpjpe_p90_mm": float(np.percentile(errors, 90)),
        "share_worse": float(100.0 * np.mean(change > 0)),
        "change_median_mm": float(np.median(change)),
        "change_p90_mm": float(np.percentile(change, 90)),
        "relative_root_mm": float(np.mean(roots)) if roots else None,
    }


def print_table(result: dict) -> None:
    """The result as a table."""
    print(f"{result['scenes']} scenes; speed-up over the plain recipe: {result.get('speedup_over_plain')}")
    print(f"{'':22s}" + "".join(f"{column:>16s}" for column in COLUMNS))
    for kind in ("right", "wrong", "no_sides", "none"):
        for method in ("initial", "heuristic", "plain", "ours"):
            if method in result[kind]:
                values = "".join(f"{result[kind][method][column]:16.1f}" for column in COLUMNS)
                print(f"{kind + ' ' + method:22s}{values}")
    for count, cost in result["assignment_by_contacts"].items():
        listed = "minutes" if cost["enumeration_ms"] is None else f"{cost['enumeration_ms']:.1f} ms"
        print(f"sides of {count:>2s} contacts: search {cost['search_ms']:.2f} ms, enumeration {listed}")


if __name__ == "__main__":
    main()
