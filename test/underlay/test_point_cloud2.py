"""What this project expects of sensor_msgs_py.point_cloud2; holds for the stand-in and for the original."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from sensor_msgs.msg import PointField
from sensor_msgs_py import point_cloud2
from std_msgs.msg import Header


def field(name, offset, datatype):
    return PointField(name=name, offset=offset, datatype=datatype, count=1)


XYZ = [field("x", 0, PointField.FLOAT32), field("y", 4, PointField.FLOAT32), field("z", 8, PointField.FLOAT32)]
XYZ_RGB = [*XYZ, field("rgb", 16, PointField.UINT32)]


def test_layout_of_a_cloud():
    cloud = point_cloud2.create_cloud(Header(frame_id="camera"), XYZ, np.array([[1, 2, 3], [4, 5, 6]], np.float32))
    assert (cloud.height, cloud.width, cloud.point_step, cloud.row_step) == (1, 2, 12, 24)
    assert (cloud.header.frame_id, cloud.is_bigendian, cloud.is_dense) == ("camera", False, False)
    assert bytes(cloud.data) == np.array([1, 2, 3, 4, 5, 6], "<f4").tobytes()
    points = point_cloud2.read_points(cloud)
    assert points.dtype.names == ("x", "y", "z")
    np.testing.assert_array_equal(points["y"], [2, 5])


def test_fields_of_several_types_with_a_gap():
    points = np.zeros(2, point_cloud2.dtype_from_fields(XYZ_RGB, point_step=32))
    points["x"], points["rgb"] = [1.5, -2.5], [0xFF8040, 7]
    cloud = point_cloud2.create_cloud(Header(), XYZ_RGB, points, point_step=32)
    assert (cloud.point_step, len(cloud.data)) == (32, 64)
    assert bytes(cloud.data[16:20]) == bytes([0x40, 0x80, 0xFF, 0])
    back = point_cloud2.read_points(cloud, ["x", "rgb"])
    assert back.dtype.names == ("x", "rgb")
    np.testing.assert_array_equal(back["x"], [1.5, -2.5])
    np.testing.assert_array_equal(back["rgb"], [0xFF8040, 7])


def test_points_as_tuples():
    cloud = point_cloud2.create_cloud(Header(), XYZ_RGB, [(1.0, 2.0, 3.0, 9), (4.0, 5.0, 6.0, 8)])
    assert cloud.point_step == 20
    np.testing.assert_array_equal(point_cloud2.read_points(cloud)["rgb"], [9, 8])


def test_points_with_nan_are_left_out_when_asked():
    cloud = point_cloud2.create_cloud(Header(), XYZ, np.array([[1, 2, 3], [np.nan, 5, 6], [7, 8, 9]], np.float32))
    assert len(point_cloud2.read_points(cloud)) == 3
    np.testing.assert_array_equal(point_cloud2.read_points(cloud, skip_nans=True)["x"], [1, 7])


def test_an_empty_cloud():
    cloud = point_cloud2.create_cloud(Header(), XYZ, np.zeros((0, 3), np.float32))
    assert (cloud.width, cloud.row_step, len(cloud.data)) == (0, 0, 0)
    assert len(point_cloud2.read_points(cloud)) == 0


def test_an_array_of_another_layout_is_refused():
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud(Header(), XYZ, np.zeros(2, [("x", "f4"), ("y", "f4")]))
    with pytest.raises(AssertionError):
        point_cloud2.create_cloud(Header(), XYZ_RGB, np.zeros((2, 4), np.float32))
