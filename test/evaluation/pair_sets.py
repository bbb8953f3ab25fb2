"""Small pair files with images on disk."""

import json

import cv2
import numpy as np

K = [[100.0, 0.0, 31.5], [0.0, 100.0, 23.5], [0.0, 0.0, 1.0]]


def write_pairs(folder, count, **fields):
    """A pair file with so many pairs of noise, pure rotations by 1, 2, 3 ... degrees."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count + 1):
        pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    pairs = []
    for number in range(count):
        turn = np.eye(4)
        turn[:3, :3] = cv2.Rodrigues(np.radians([0.0, number + 1.0, 0.0]))[0]
        pairs.append(
            {
                "image0": f"{number}.png",
                "image1": f"{number + 1}.png",
                "K0": K,
                "K1": K,
                "T_0to1": turn.tolist(),
                "scene": str(number % 6),
            }
        )
    path = folder / "pairs.json"
    path.write_text(json.dumps({"name": "noise", "translation_unit": "metres", "pairs": pairs, **fields}))
    return path
