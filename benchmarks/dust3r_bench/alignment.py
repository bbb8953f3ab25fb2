"""What alignment costs and how wrong its poses are, on pointmaps with known truth."""

from __future__ import annotations

import statistics
from functools import cached_property
from typing import Any

import numpy as np

from dust3r_bench.measure import Meter, interval_over_scenes
from dust3r_bench.plans import Plan, clip_views
from dust3r_bench.reference import Reference, as_reference_output
from dust3r_bench.scenes import ClipScene
from interpose_ros.config import Dust3rConfig, InterposeConfig
from interpose_ros.dust3r.alignment import align_subsets
from interpose_ros.interpolation.bridging import choose_bridging_frames
from interpose_ros.interpolation.clip import LazyView
from interpose_ros.matching.store import MatchStore
from interpose_ros.selection.subsets import evenly_spread

FRAMES = 14


class AlignmentBench:
    """The first scene gives the times. Errors vary much more between scenes than between subsets: all scenes give them.

    On the other scenes the reference aligns every ``sample``-th subset only, which changes no expectation.
    """

    def __init__(self, meter: Meter, reference: Reference, plan: Plan, grid: Plan, scenes: int, side: int) -> None:
        self._meter, self._reference = meter, reference
        self._plan, self._grid = plan, grid
        self._count, self._side = scenes, side
        self._sample = 5

    @cached_property
    def _scenes(self) -> list[ClipScene]:
        self._meter.say(f"{self._count} scenes with faulty pointmaps")
        return [ClipScene.make(number, FRAMES, self._side) for number in range(self._count)]

    @cached_property
    def reference(self) -> dict[str, Any]:
        """Seconds of the reference for all subsets of the first scene, and its error on every scene."""
        seconds, errors = 0.0, []
        for scene in self._scenes:
            subsets = self._plan.subsets if scene.number == 0 else self._plan.subsets[2 :: self._sample]
            own = []
            for subset in subsets:
                output = as_reference_output(scene.predictions, subset)
                start = self._meter.now()
                poses = self._reference.align(output, [scene.views[k].camera.focal_length for k in subset])
                seconds += self._meter.now() - start if scene.number == 0 else 0.0
                own.append(scene.rotation_error(np.linalg.inv(poses[-1]) @ poses[0], subset))
            errors.append(float(np.mean(own)))
            self._meter.say(f"reference, scene {scene.number}: {len(subsets)} subsets, {errors[-1]:.2f} degrees")
        return {"seconds": seconds, "errors": errors}

    @cached_property
    def random(self) -> dict[str, Any]:
        """Random subsets, the reference's recipe."""
        return self._ours("random subsets", lambda scene: self._plan.subsets)

    @cached_property
    def grid(self) -> dict[str, Any]:
        """Subsets from a shared grid of frames."""
        return self._ours("subsets of a grid", lambda scene: self._grid.subsets)

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """One run over the frames of the first clip that matches choose, as the pipeline chooses them."""
        store_config = InterposeConfig()
        store = MatchStore.with_default_networks(store_config)
        subsets, seconds = [], []
        for scene in self._scenes:
            images = {k: scene.image(k) for k in clip_views(0, FRAMES)}
            frames = [LazyView(images[k].keyframe_id, lambda k=k, images=images: images[k]) for k in sorted(images)[2:]]
            start = self._meter.now()
            bridge = choose_bridging_frames(images[0], images[1], frames, store, store_config.frames)
            kept = [bridge[k] for k in evenly_spread(len(bridge), Dust3rConfig().max_frames)]
            seconds.append(self._meter.now() - start)
            subsets.append([0, *(view.keyframe_id.stamp_ns for view in kept), 1])
        result = self._ours("frames chosen by matches", lambda scene: [subsets[scene.number]])
        return {**result, "subset": subsets[0], "seconds_matching": statistics.median(seconds)}

    def _ours(self, label: str, subsets_of: Any) -> dict[str, Any]:
        seconds, errors, solved = [], [], []
        for scene in self._scenes:
            subsets = subsets_of(scene)
            for _ in range(self._meter.repeats if scene.number == 0 else 1):
                start = self._meter.now()
                results = align_subsets(scene.predictions, subsets)
                seconds += [self._meter.now() - start] if scene.number == 0 else []
            poses = [(result.pose(-1), result.views) for result in results]
            solved.append(sum(T is not None for T, _ in poses) / len(poses))
            errors.append(float(np.mean([scene.rotation_error(T, views) for T, views in poses if T is not None])))
        self._meter.say(f"ours, {label}: {np.mean(errors):.2f} degrees over {len(errors)} scenes")
        return {"seconds": statistics.median(seconds), "errors": errors, "solved": float(np.mean(solved))}

    def errors(self, ours: dict[str, Any]) -> dict[str, Any]:
        """Mean over scenes of ours and of the reference with random subsets, and the interval of the difference."""
        difference = np.subtract(ours["errors"], self.reference["errors"])
        return {
            "ours": float(np.mean(ours["errors"])),
            "reference": float(np.mean(self.reference["errors"])),
            "difference_95": interval_over_scenes(difference),
            "per_scene": {"ours": ours["errors"], "reference": self.reference["errors"]},
            "solved_share": ours["solved"],
        }
