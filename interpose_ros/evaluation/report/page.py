"""Puts data, style and scripts into one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""The page may ask nobody for anything, whatever is in the data."""


def page(title: str, content: Mapping[str, Any], scripts: Sequence[str]) -> str:
    """The HTML file.

    Args:
        title: of the page.
        content: data for the scripts; names in it may come from anywhere, and are only ever set as text.
        scripts: files beside this one, in their order.
    """
    # Inside a script element nothing but "</script" and "<!--" ends the data, and neither can be without "<".
    data = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    code = "\n".join(_file(name) for name in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{_file("page.css")}
</style>
</head>
<body>
<main id="page"></main>
<noscript>The figures on this page are drawn by the script in it; summary.json has them, too.</noscript>
<script type="application/json" id="content">{data}</script>
<script>
{code}
</script>
</body>
</html>
"""


def _file(name: str) -> str:
    return resources.files("interpose_ros.evaluation.report").joinpath(name).read_text(encoding="utf-8")
