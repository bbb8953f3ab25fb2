"""Point clouds between sensor_msgs/PointCloud2 and NumPy."""

import array
import sys

import numpy as np
from numpy.lib.recfunctions import unstructured_to_structured
from sensor_msgs.msg import PointCloud2, PointField

_DTYPES = {
    PointField.INT8: np.dtype(np.int8),
    PointField.UINT8: np.dtype(np.uint8),
    PointField.INT16: np.dtype(np.int16),
    PointField.UINT16: np.dtype(np.uint16),
    PointField.INT32: np.dtype(np.int32),
    PointField.UINT32: np.dtype(np.uint32),
    PointField.FLOAT32: np.dtype(np.float32),
    PointField.FLOAT64: np.dtype(np.float64),
}


def dtype_from_fields(fields, point_step=None):
    """Structured dtype of a cloud's fields, each of count 1."""
    layout = {
        "names": [field.name for field in fields],
        "formats": [_DTYPES[field.datatype] for field in fields],
        "offsets": [field.offset for field in fields],
    }
    if point_step is not None:
        layout["itemsize"] = point_step
    return np.dtype(layout)


def create_cloud(header, fields, points, point_step=None):
    """Make an unorganized cloud.

    points is a structured array of the fields' dtype, a plain array (points, fields) where all fields have one
    datatype, or an iterable with one tuple of values for each point.
    """
    dtype = dtype_from_fields(fields, point_step)
    if not isinstance(points, np.ndarray):
        points = np.array([tuple(point) for point in points], dtype=dtype)
    elif points.dtype.names is None:
        assert all(field.datatype == fields[0].datatype for field in fields), (
            "all fields need to have the same datatype"
        )
        points = unstructured_to_structured(points, dtype=dtype)
    else:
        assert points.dtype == dtype, "the fields and the dtype of the structured array do not match"

    cloud = PointCloud2(
        header=header,
        height=1,
        width=len(points),
        is_dense=False,
        is_bigendian=sys.byteorder != "little",
        fields=fields,
        point_step=dtype.itemsize,
        row_step=dtype.itemsize * len(points),
    )
    cloud.data = array.array("B", points.tobytes())
    return cloud


def read_points(cloud, field_names=None, skip_nans=False):
    """Structured array (points,) of all fields, or of those that are named; skip_nans leaves out points with NaN."""
    dtype = dtype_from_fields(cloud.fields, cloud.point_step)
    points = np.ndarray(shape=(cloud.width * cloud.height,), dtype=dtype, buffer=cloud.data)
    if field_names is not None:
        points = points[list(field_names)]
    if bool(cloud.is_bigendian) != (sys.byteorder != "little"):
        points = points.byteswap()
    if skip_nans and not cloud.is_dense:
        keep = np.ones(len(points), dtype=bool)
        for name in points.dtype.names:
            keep &= ~np.isnan(points[name])
        points = points[keep]
    return points
