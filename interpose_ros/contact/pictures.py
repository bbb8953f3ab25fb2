"""Pictures of bodies: shaded triangles, far ones first. Enough to see who touches whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from interpose_ros.contact.answer import ContactAnswer

PERSON_COLOURS_BGR = ((196, 140, 60), (70, 110, 220))


def draw_mesh(
    image: UInt8[np.ndarray, "h w 3"],
    vertices_camera: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    colours_bgr: Float[np.ndarray, "f 3"],
    focal_px: float,
    centre_px: tuple[float, float],
) -> None:
    """Draw a mesh over an image.

    Args:
        image: drawn on.
        vertices_camera: x right, y down, z forward; triangles that reach behind the camera are left out.
        faces: triangles, outward.
        colours_bgr: of each triangle, 0 to 255, before shading.
        focal_px: focal length.
        centre_px: principal point.
    """
    corners = vertices_camera[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    centres = corners.mean(axis=1)
    towards = -np.sum(normals * centres, axis=1) / np.maximum(np.linalg.norm(centres, axis=1), 1e-9)
    seen = np.nonzero((towards > 0) & (corners[:, :, 2].min(axis=1) > 0.05))[0]
    seen = seen[np.argsort(-centres[seen, 2])]
    pixels = corners[seen, :, :2] / corners[seen, :, 2:] * focal_px + np.asarray(centre_px)
    pixels = np.clip(pixels, -1e4, 1e4)
    shaded = colours_bgr[seen] * (0.35 + 0.65 * towards[seen, None])
    for polygon, colour in zip((pixels * 16).round().astype(np.int32), shaded, strict=True):
        cv2.fillConvexPoly(image, polygon, colour.tolist(), lineType=cv2.LINE_AA, shift=4)


def two_views(
    meshes: Sequence[tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]],
    side_px: int = 480,
    colours_bgr: Sequence[tuple[int, int, int] | Float[np.ndarray, "f 3"]] = PERSON_COLOURS_BGR,
) -> UInt8[np.ndarray, "h w 3"]:
    """The bodies from where the camera is, and from the side (the camera moved to their right), next to each other.

    Args:
        meshes: vertices in the camera's frame (x right, y down, z forward) and faces of each body.
        side_px: width and height of each view.
        colours_bgr: of each body, one for all or one per triangle.
    """
    everything = np.concatenate([vertices for vertices, _ in meshes])
    centre = 0.5 * (everything.min(axis=0) + everything.max(axis=0))
    radius = float(np.linalg.norm(everything - centre, axis=1).max())
    distance = 4.0 * max(radius, 0.1)
    focal = 0.48 * side_px * distance / max(radius, 0.1)
    views = []
    for R_view_camera in (np.eye(3), np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])):
        image = np.full((side_px, side_px, 3), 255, dtype=np.uint8)
        points: list[np.ndarray] = []
        faces: list[np.ndarray] = []
        colours: list[np.ndarray] = []
        for (vertices, triangles), colour in zip(meshes, colours_bgr, strict=False):
            faces.append(triangles + sum(map(len, points)))
            points.append((vertices - centre) @ R_view_camera.T + np.array([0.0, 0.0, distance]))
            colours.append(np.broadcast_to(np.asarray(colour, dtype=np.float64), (len(triangles), 3)))
        draw_mesh(
            image,
            np.concatenate(points),
            np.concatenate(faces),
            np.concatenate(colours),
            focal,
            (side_px / 2, side_px / 2),
        )
        views.append(image)
    return np.hstack(views)


def stacked(
    rows: Mapping[str, Sequence[tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]]],
) -> UInt8[np.ndarray, "h w 3"]:
    """Two views of each group of bodies, one group under the other, with their names."""
    pictures = []
    for name, meshes in rows.items():
        row = two_views(meshes)
        cv2.putText(row, name, (10, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
        pictures.append(row)
    return np.vstack(pictures)


def before_and_after(
    answer: ContactAnswer, intrinsics: Sequence[float] | None, image_bgr: UInt8[np.ndarray, "h w 3"] | None
) -> dict[str, UInt8[np.ndarray, "h w 3"]]:
    """Pictures of an answer by name: two views before over two views after; over the photo, where there is one.

    Args:
        answer: with a refinement.
        intrinsics: fx, fy, cx, cy of the photo.
        image_bgr: the photo.
    """
    from interpose_ros.contact.body_model import mesh

    assert answer.refinement is not None
    pictures: dict[str, UInt8[np.ndarray, "h w 3"]] = {}
    rows = {}
    for name, bodies in (("before", [p.body for p in answer.people]), ("after", answer.refinement.bodies)):
        meshes = [
            (mesh(person.model, body).vertices[0].numpy(), person.model.faces.numpy())
            for person, body in zip(answer.people, bodies, strict=True)
        ]
        rows[name] = meshes
        if image_bgr is not None and intrinsics is not None:
            photo = image_bgr.copy()
            for (vertices, faces), colour in zip(meshes, PERSON_COLOURS_BGR, strict=False):
                colours = np.broadcast_to(np.asarray(colour, dtype=np.float64), (len(faces), 3))
                draw_mesh(photo, vertices, faces, colours, intrinsics[0], (intrinsics[2], intrinsics[3]))
            pictures[f"photo_{name}"] = photo
    pictures["before_and_after"] = stacked(rows)
    return pictures
