"""Refinement of people in contact on scenes whose truth is known: `python benchmarks/bench_contact.py`.

Writes out/bench/contact.json, and beside it contact_details.json. Scenes, noise and constraints come from fixed seeds (other
ones than settings were chosen on): interpose_ros/contact/synthetic.py says how. About 20 minutes on two quiet cores;
`--scenes 10 --plain 1` for a look.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np

FIRST_SEED = 5000
TRIES = 50
WRONG_SHARE = 0.4
OTHERS = 30
# Every seventh scene: of all kinds and levels.
PLAIN_EVERY = 7
# Vertices of each atom that losses are compared over.
JUDGED = 200
KINDS = ("right", "wrong", "no_sides", "none")
METHODS = ("initial", "heuristic", "plain", "ours")
COLUMNS = ("pcc", "pcc5", "pcc10", "pa_mpjpe_mm", "pa_mpjpe_p90_mm", "penetration_mm", "share_worse", "seconds")
_MODEL = None


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=105, help="with right constraints; 30 of them also with others")
    parser.add_argument("--plain", type=int, default=15, help="scenes that the plain recipe is run on, too")
    parser.add_argument("--plain-iterations", type=int, default=1000, help="of the plain recipe, per stage")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/bench/contact.json"))
    options = parser.parse_args()

    from contact_growth import growth
    from tqdm import tqdm

    from interpose_ros.evaluation.run_record import environment

    plain = set(range(0, options.scenes, PLAIN_EVERY)[: options.plain])
    tasks = [(number, number < OTHERS, number in plain, options.plain_iterations) for number in range(options.scenes)]
    tasks.sort(key=lambda task: not task[2])  # the long ones first, so that no core waits for the last
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(options.processes, _prepare) as pool:
        rows = list(tqdm(pool.imap_unordered(_scene, tasks), total=len(tasks), unit="scene"))
    rows.sort(key=lambda row: row["number"])
    result = summarise(rows)
    more = {
        **details(rows),
        "assignment_by_contacts": growth(),
        "minutes": (time.monotonic() - began) / 60,
        "environment": environment(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    beside = options.out.with_name(f"{options.out.stem}_details.json")
    beside.write_text(json.dumps({**more, "rows": rows}, indent=2) + "\n", encoding="utf-8")
    print_table(result, more)


def _prepare() -> None:
    import torch

    from interpose_ros.contact.anny_body import AnnyBody

    global _MODEL  # noqa: PLW0603 (one model per process)
    torch.set_num_threads(1)
    _MODEL = AnnyBody.load()
    _MODEL.regions()


def _scene(task: tuple[int, bool, bool, int]) -> dict:
    from interpose_ros.contact.config import RefinementConfig
    from interpose_ros.contact.constraints import ConstraintOrigin, ContactConstraints, ContactSample, whole_bodies
    from interpose_ros.contact.refine import refine
    from interpose_ros.contact.synthetic import INTRINSICS, RECIPES, make_scene, named_contacts

    number, others, plain, plain_iterations = task
    names = list(RECIPES)
    name, level = names[number % len(names)], 1 + (number // len(names)) % 3
    seeds = range(FIRST_SEED + TRIES * number, FIRST_SEED + TRIES * (number + 1))
    scene = next(s for s in (make_scene(_MODEL, name, level, seed) for seed in seeds) if s is not None)
    config = RefinementConfig()
    rng = np.random.default_rng(FIRST_SEED + number)

    def constraints(contacts, order_open=False):
        sample = ContactSample(tuple(contacts), order_open=order_open and len(scene.truth) == 2)
        return ContactConstraints((sample,), ConstraintOrigin.REQUEST)

    def run(given):
        began, cpu_began = time.monotonic(), time.process_time()
        bodies = refine(scene.estimates, given, config, INTRINSICS).bodies
        cpu_seconds, seconds = time.process_time() - cpu_began, time.monotonic() - began
        return {**_measure(scene, bodies), "seconds": seconds, "cpu_seconds": cpu_seconds}

    right = constraints(named_contacts(scene, with_sides=True))
    heuristic = whole_bodies() if len(scene.truth) == 2 else constraints(())
    initial = {**_measure(scene, [person.body for person in scene.estimates]), "seconds": 0.0}
    ours = run(right)
    heuristic_row = run(heuristic)
    row = {
        "number": number,
        "name": scene.name,
        "level": level,
        "people": len(scene.truth),
        "right": {"initial": initial, "heuristic": heuristic_row, "ours": ours},
    }
    if others:
        sets = {
            "wrong": constraints(_partly_wrong(scene, named_contacts(scene, with_sides=True), rng)),
            "no_sides": constraints(named_contacts(scene, with_sides=False), order_open=True),
            "none": constraints(()),
        }
        for kind, given in sets.items():
            row[kind] = {"initial": initial, "heuristic": heuristic_row, "ours": run(given)}
    if plain:
        from contact_plain import plain_refine

        answer = plain_refine(scene.estimates, right, config, number, plain_iterations)
        row["right"]["plain"] = {**_measure(scene, answer.bodies), "seconds": answer.seconds}
        row["race"] = _race(scene, right, config, answer)
    return row


def _partly_wrong(scene, contacts, rng):
    """Some contacts replaced by ones between parts drawn at random."""
    from interpose_ros.contact.body_parts import GROUND, PAIR_PARTS, SIDED_PARTS, SIDES, SINGLE_PARTS
    from interpose_ros.contact.constraints import Contact, ContactEnd

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


def _race(scene, constraints, config, plain) -> dict[str, float]:
    """Seconds (of one core) until either has come down to the higher of the two final losses, within 1 %.

    Both are judged by one loss, over some 200 vertices of each part and with the exact shape. Ours has to go all the way.
    """
    from interpose_ros.contact.refine import refine
    from interpose_ros.contact.synthetic import INTRINSICS

    began = time.process_time()
    bodies = refine(scene.estimates, constraints, config, INTRINSICS).bodies
    ours_seconds = time.process_time() - began
    judge = _judge(scene, constraints, config)
    ours = judge(bodies)
    losses = [judge(step) for _, step in plain.steps]
    target = 1.01 * max(ours, losses[-1])
    plain_seconds = next(seconds for (seconds, _), loss in zip(plain.steps, losses, strict=True) if loss <= target)
    return {
        "ours_loss": ours,
        "plain_loss": losses[-1],
        "ours_seconds": ours_seconds,
        "plain_seconds": plain_seconds,
        "speedup": plain_seconds / ours_seconds,
    }


def _judge(scene, constraints, config):
    """The loss of bodies, over vertices that neither recipe chose."""
    import torch

    from interpose_ros.contact.body_parts import ATOMS
    from interpose_ros.contact.contact_points import PartPoints
    from interpose_ros.contact.contact_term import ContactTerm
    from interpose_ros.contact.penetration import PenetrationTerm
    from interpose_ros.contact.refine import body_terms
    from interpose_ros.contact.scene import Person, Scene
    from interpose_ros.contact.solver import total_loss
    from interpose_ros.contact.synthetic import INTRINSICS

    regions = {atom: vertices[:: max(len(vertices) // JUDGED, 1)] for atom, vertices in _MODEL.regions().items()}
    ends = np.cumsum([0, *(len(regions[atom]) for atom in ATOMS)])
    places = {atom: torch.arange(ends[k], ends[k + 1]) for k, atom in enumerate(ATOMS)}
    points = PartPoints(torch.cat([regions[atom] for atom in ATOMS]), places)
    people = [Person(_MODEL, points, person.keypoints.names) for person in scene.estimates]
    terms = [
        *body_terms(scene.estimates, config, INTRINSICS).values(),
        ContactTerm(constraints.samples, config.contact_strength, config.contact_reach),
        PenetrationTerm(weight=config.penetration_weight),
    ]

    def loss(bodies) -> float:
        posed = Scene(people, bodies, with_hull=True)
        return float(total_loss(posed, posed.state(bodies), terms)[0])

    return loss


def summarise(rows: list[dict]) -> dict:
    """Means over the scenes, as described in docs/contact.md."""
    result: dict = {"scenes": len(rows)}
    for kind in KINDS:
        having = [row[kind] for row in rows if kind in row]
        result[kind] = {}
        for method in METHODS:
            some = [group for group in having if method in group]
            if some:
                columns = _columns([g[method] for g in some], [g["initial"] for g in some])
                result[kind][method] = {column: columns[column] for column in COLUMNS}
    speedups = [row["race"]["speedup"] for row in rows if "race" in row]
    result["speedup_over_plain"] = float(np.median(speedups)) if speedups else None
    return result


def details(rows: list[dict]) -> dict:
    """What the summary has no place for: relative roots, changes, both recipes on the same scenes, kinds of scene."""
    result: dict = {}
    for kind in KINDS:
        having = [row[kind] for row in rows if kind in row]
        result[kind] = {"scenes": len(having)}
        for method in METHODS:
            if some := [group for group in having if method in group]:
                columns = _columns([g[method] for g in some], [g["initial"] for g in some])
                result[kind][method] = {k: v for k, v in columns.items() if k not in COLUMNS}
    both = [row for row in rows if "race" in row]
    if both:
        groups = [row["right"] for row in both]
        result["plain_part"] = {
            "scenes": len(both),
            **{m: _columns([g[m] for g in groups], [g["initial"] for g in groups]) for m in METHODS},
            **{key: float(np.median([row["race"][key] for row in both])) for key in both[0]["race"]},
            "least_speedup": float(min(row["race"]["speedup"] for row in both)),
            "share_ours_lower_loss": float(
                100 * np.mean([row["race"]["ours_loss"] <= row["race"]["plain_loss"] for row in both])
            ),
        }
    ours = [row["right"]["ours"] for row in rows]
    result["most_seconds"] = float(max(each["seconds"] for each in ours))
    # of one core: what the clock would say of a machine that does nothing else
    result["cpu_seconds"] = {
        "mean": float(np.mean([each["cpu_seconds"] for each in ours])),
        "most": float(max(each["cpu_seconds"] for each in ours)),
    }
    for key in ("name", "level"):
        result[f"by_{key}"] = {
            str(value): _columns([r["right"]["ours"] for r in some], [r["right"]["initial"] for r in some])
            for value in sorted({row[key] for row in rows})
            if (some := [row for row in rows if row[key] == value])
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


def print_table(result: dict, more: dict) -> None:
    """The result as a table."""
    print(f"{result['scenes']} scenes; speed-up over the plain recipe: {result['speedup_over_plain']}")
    print(f"{'':22s}" + "".join(f"{column:>16s}" for column in COLUMNS))
    for kind in KINDS:
        for method in METHODS:
            if method in result[kind]:
                values = "".join(f"{result[kind][method][column]:16.1f}" for column in COLUMNS)
                print(f"{kind + ' ' + method:22s}{values}")
    if "plain_part" in more:
        for method in METHODS:
            values = "".join(f"{more['plain_part'][method][column]:16.1f}" for column in COLUMNS)
            print(f"{'same part ' + method:22s}{values}")
    for count, cost in more["assignment_by_contacts"].items():
        listed = "minutes" if cost["enumeration_ms"] is None else f"{cost['enumeration_ms']:.1f} ms"
        print(f"sides of {count:>2s} contacts: search {cost['search_ms']:.2f} ms, enumeration {listed}")


if __name__ == "__main__":
    main()
