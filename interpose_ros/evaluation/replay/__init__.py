"""Any bag as a pair file: images, camera, truth, keyframes and pairs, read without ROS."""
