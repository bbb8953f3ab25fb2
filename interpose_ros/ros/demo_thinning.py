"""The demo's wide pairs again, with a part of their frames in between removed.

The node has said which pairs its keyframes' own matches answer; frames change nothing about those. The others go through
the same pipeline here, without the second networks, which have had their say about the keyframes in the node.
"""

from __future__ import annotations

from collections.abc import Mapping

from tqdm import tqdm

from interpose_ros.config import InterposeConfig
from interpose_ros.evaluation.answers import outcome_from_answer
from interpose_ros.evaluation.pairs import PairRecord, compared
from interpose_ros.evaluation.recorded_truth import RecordedDrive
from interpose_ros.evaluation.thinning import thinned, wide
from interpose_ros.interpolation.recorded import ListedFramesInterpolator
from interpose_ros.pipeline import InterposePipeline
from interpose_ros.ros.demo_views import DriveViews

Pair = tuple[int, int]

SHARES = {"one of two": 2, "one of three": 3}


def pipeline_without_second_networks() -> InterposePipeline:
    """The pipeline that thinned frames and pictures go through."""
    config = InterposeConfig()
    return InterposePipeline.from_config(
        config.model_copy(update={"features": config.features.model_copy(update={"second_opinion": False})})
    )


def records_with_fewer_frames(
    pipeline: InterposePipeline, views: DriveViews, drive: RecordedDrive, records: Mapping[Pair, PairRecord]
) -> dict[str, list[PairRecord]]:
    """Wide pairs by the share of frames that is left.

    Args:
        pipeline: answers.
        views: the images.
        drive: the truth.
        records: the node's answers with all frames, by the stamps of the two images.
    """
    kept = wide(list(records.values()))
    pairs = [pair for pair, record in records.items() if record in kept]
    found: dict[str, list[PairRecord]] = {"all": kept}
    with tqdm(total=len(pairs) * len(SHARES), unit="pair", desc="fewer frames") as progress:
        for name, one_of in SHARES.items():
            found[name] = []
            for first_ns, last_ns in pairs:
                record = records[first_ns, last_ns]
                if record.branch != "matches":
                    interpolator = ListedFramesInterpolator(thinned(views.between(first_ns, last_ns), one_of))
                    answer = pipeline.estimate(views.at(first_ns), views.at(last_ns), [interpolator])
                    record = compared(outcome_from_answer(answer), drive.truth)
                found[name].append(record)
                progress.update()
    return found
