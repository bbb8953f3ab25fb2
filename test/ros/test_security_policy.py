"""The SROS 2 policy allows what the running node uses, and nothing that it never uses."""

from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip("rclpy", reason="the ROS-free core is tested without it")

from .running_node import DISCOVERY, REPOSITORY, RunningNode

POLICY = ElementTree.parse(REPOSITORY / "config" / "sros2" / "interpose.policy.xml").getroot()
NOT_ALWAYS = {
    "/keyframe/image/compressed",  # with image_transport: compressed
    "/image/compressed",
    "/clock",  # with use_sim_time
    "/parameter_events",
    "/interpose/get_type_description",
    "/interpose_contact/get_type_description",
}


def allowed(node: str, element: str, rule: str) -> set[str]:
    (profile,) = (p for p in POLICY.iter("profile") if p.get("node") == node)
    groups = [group for group in profile if group.tag == element and group.get(rule) == "ALLOW"]
    return {item.text for group in groups for item in group}


def used(running, node: str, what: str) -> set[str]:
    ask = getattr(running.node, f"get_{what}_names_and_types_by_node")
    return {name for name, _ in ask(node, "/")}


def test_the_file_has_the_form_of_sros2s_schema():
    assert (POLICY.tag, POLICY.get("version")) == ("policy", "0.2.0")
    rules = {"topics": {"publish", "subscribe"}, "services": {"reply", "request"}, "actions": {"execute", "call"}}
    for profile in POLICY.iter("profile"):
        assert profile.get("ns") == "/"
        for group in profile:
            assert set(group.attrib) <= rules[group.tag]
            assert all(value == "ALLOW" for value in group.attrib.values())
            assert all(item.tag == group.tag[:-1] and item.text.startswith("/") for item in group)
    assert [e.get("path") for e in POLICY.iter("enclave")] == ["/interpose", "/planner"]


def test_the_policy_is_what_the_node_uses():
    with RunningNode(autostart=True, publish_tf=True) as running:
        running.wait_until_active()
        for node, element, rule, what in (
            ("interpose", "topics", "publish", "publisher"),
            ("interpose", "topics", "subscribe", "subscriber"),
            ("interpose", "services", "reply", "service"),
            ("interpose_contact", "topics", "publish", "publisher"),
            ("interpose_contact", "services", "reply", "service"),
        ):
            policy = allowed(node, element, rule)

            def seen(node=node, what=what):
                return {name for name in used(running, node, what) if "/_action/" not in name}

            running.wait_for(lambda p=policy, s=seen: p - NOT_ALWAYS <= s(), DISCOVERY, f"{rule} of {node}: {policy}")
            assert seen() <= policy, f"{node} uses what the policy does not allow to {rule}"
        actions = allowed("interpose", "actions", "execute")
        services = used(running, "interpose", "service")
        assert {name.partition("/_action/")[0] for name in services if "/_action/" in name} <= actions
