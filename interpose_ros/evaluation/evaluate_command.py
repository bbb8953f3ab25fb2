"""The command ``interpose evaluate``: every pair of a pair file, compared with its truth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from interpose_ros.evaluation.pair_files import load_pair_file
from interpose_ros.evaluation.run import evaluate_pairs, summarise
from interpose_ros.exit_status import EXIT_OK


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    evaluate = commands.add_parser("evaluate", help="answer every pair of a pair file and compare with its truth")
    evaluate.add_argument("pairs", type=Path, metavar="PAIRS.json")
    evaluate.add_argument("--out", type=Path, required=True, metavar="DIR", help="for rows.jsonl and summary.json")
    evaluate.add_argument("--without-frames", action="store_true", help="withhold the frames in between")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from interpose_ros.config import InterposeConfig
    from interpose_ros.pipeline import InterposePipeline

    pairs = load_pair_file(options.pairs)
    pipeline = InterposePipeline.from_config(InterposeConfig())
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with (options.out / "rows.jsonl").open("w", encoding="utf-8") as stream:
        for row in tqdm(evaluate_pairs(pairs, pipeline, not options.without_frames), total=len(pairs), unit="pair"):
            rows.append(row)
            stream.write(json.dumps(row, allow_nan=False) + "\n")
            stream.flush()
    summary = json.dumps(summarise(rows), indent=2, allow_nan=False)
    (options.out / "summary.json").write_text(summary + "\n", encoding="utf-8")
    print(summary)
    return EXIT_OK
