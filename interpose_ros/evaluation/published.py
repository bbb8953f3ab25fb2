"""Figures that papers report, to stand beside one's own on pairs of the same protocol."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def published_figures(protocol: str) -> list[dict[str, Any]]:
    """The figures of a protocol, such as ``scannet-50-65``, with ``method``, ``source`` in words, and what is known of
    ``mre_deg``, ``mte_sign_blind_deg``, ``recall_deg`` and ``auc30_min`` as in summary.json; empty where nothing is known.
    """
    content = _content()
    return [
        {**figure, "source": content["sources"][figure["source"]]}
        for figure in content["figures"]
        if figure["protocol"] == protocol
    ]


def published_note() -> str:
    """What a reader must know before looking at them."""
    return str(_content()["note"])


def _content() -> dict[str, Any]:
    text = resources.files("interpose_ros.evaluation").joinpath("published.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
