"""Asking a real HTTP server on this machine."""

import base64
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("openai", reason="comes with the extra contact, as in make env")

from interpose_ros.contact.constraints import ConstraintOrigin, Contact, ContactEnd
from interpose_ros.contact.language_model import LanguageModelConfig, LanguageModelError, LanguageModelFailure, ask

from . import chat_server as servers

IMAGE = np.random.default_rng(0).integers(0, 255, (300, 900, 3), dtype=np.uint8)
HANDS = Contact(ContactEnd(0, "hand"), ContactEnd(1, "hand"))
HAND_AND_ARM = Contact(ContactEnd(0, "hand"), ContactEnd(1, "arm"))


def settings(url, **more):
    return LanguageModelConfig(**{"base_url": url, "model": "test", "samples": 4, "timeout": 20.0, **more})


@pytest.mark.parametrize("kind", [servers.VLLM, servers.Ollama, servers.LlamaCpp, servers.LMStudio])
def test_every_kind_of_server_gives_all_samples(kind):
    server = kind()
    with servers.serving(server) as url:
        result = ask(IMAGE, 2, settings(url))
    assert len(result.answers) == 4
    assert result.not_understood == 0
    assert result.constraints.origin is ConstraintOrigin.LANGUAGE_MODEL
    weights = {sample.contacts: sample.weight for sample in result.constraints.samples}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert set(weights) <= {(HANDS,), (HAND_AND_ARM,), ()}
    assert all(sample.order_open for sample in result.constraints.samples)
    assert server.paths[0] == "/v1/chat/completions"


def test_one_request_is_enough_where_n_is_known():
    server = servers.VLLM()
    with servers.serving(server) as url:
        result = ask(IMAGE, 2, settings(url))
    assert len(server.requests) == 1
    assert {s.contacts: s.weight for s in result.constraints.samples} == {
        (HANDS,): 0.5,
        (HAND_AND_ARM,): 0.25,
        (): 0.25,
    }


def test_the_request_carries_schema_prompt_and_a_reduced_image():
    server = servers.VLLM()
    with servers.serving(server) as url:
        ask(IMAGE, 2, settings(url, max_image_side=300))
    request = server.requests[0]
    schema = request["response_format"]["json_schema"]["schema"]
    assert "waist (back)" in schema["properties"]["contacts"]["items"]["properties"]["person_1_part"]["enum"]
    assert "waist (back)" in request["messages"][0]["content"]
    assert "JSON schema" in request["messages"][0]["content"]
    kind, data = request["messages"][1]["content"][0]["image_url"]["url"].split(",", 1)
    assert kind == "data:image/jpeg;base64"
    sent = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert sent.shape == (100, 300, 3)


def test_topping_up_varies_the_seed():
    server = servers.Ollama()
    with servers.serving(server) as url:
        ask(IMAGE, 2, settings(url))
    assert len({request["seed"] for request in server.requests}) == 4


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        (servers.Silent, LanguageModelFailure.TIMEOUT),
        (servers.Dripping, LanguageModelFailure.TIMEOUT),
        (servers.Rude, LanguageModelFailure.REFUSED),
        (servers.Failing, LanguageModelFailure.REFUSED),
        (servers.Empty, LanguageModelFailure.REFUSED),
        (servers.Wordless, LanguageModelFailure.REFUSED),
        (servers.Talkative, LanguageModelFailure.NOT_UNDERSTOOD),
    ],
)
def test_servers_that_do_not_help_are_left_in_time(kind, failure):
    with servers.serving(kind()) as url:
        began = time.monotonic()
        with pytest.raises(LanguageModelError) as caught:
            ask(IMAGE, 2, settings(url, timeout=2.0))
        assert time.monotonic() - began < 4.0
    assert caught.value.failure is failure


def test_what_a_server_refuses_once_is_not_asked_again():
    server = servers.LlamaCpp()
    with servers.serving(server) as url:
        ask(IMAGE, 2, settings(url))
    assert ["response_format" in request for request in server.requests] == [True] + [False] * 4
    assert all("JSON schema" in request["messages"][0]["content"] for request in server.requests)
    server = servers.LMStudio()
    with servers.serving(server) as url:
        ask(IMAGE, 2, settings(url))
    assert [request.get("n", 1) for request in server.requests] == [4, 4, 1, 1, 1, 1]


def test_fewer_samples_are_topped_up_one_by_one():
    server = servers.Ollama()
    with servers.serving(server) as url:
        assert len(ask(IMAGE, 2, settings(url, samples=7)).answers) == 7
    assert [request.get("n", 1) for request in server.requests] == [7] + [1] * 6


def test_a_slow_server_is_waited_for():
    with servers.serving(servers.Slow()) as url:
        result = ask(IMAGE, 2, settings(url, timeout=15.0))
    assert len(result.answers) == 4
    assert result.seconds > servers.Slow.delay


def test_waiting_ends_when_nobody_wants_the_answer_any_more():
    server = servers.Silent()
    with servers.serving(server) as url:
        began = time.monotonic()
        with pytest.raises(LanguageModelError):
            ask(IMAGE, 2, settings(url, timeout=60.0), cancelled=lambda: bool(server.requests))
        assert time.monotonic() - began < 20.0


def test_a_server_that_breaks_off_is_an_error():
    with servers.serving(servers.Broken()) as url, pytest.raises(LanguageModelError, match=r"127\.0\.0\.1"):
        ask(IMAGE, 2, settings(url, timeout=5.0))


def test_answers_in_time_are_used_when_others_are_late():
    with servers.serving(servers.SlowTopUp()) as url:
        result = ask(IMAGE, 2, settings(url, timeout=2.0))
    assert len(result.answers) == 1
    assert result.constraints.contacts == (HANDS,)


def test_images_do_not_follow_a_redirect():
    other = servers.VLLM()
    with servers.serving(other) as elsewhere:
        with (
            servers.serving(servers.Elsewhere(elsewhere + "/chat/completions")) as url,
            pytest.raises(LanguageModelError),
        ):
            ask(IMAGE, 2, settings(url))
        assert other.requests == []


def test_nobody_there():
    with servers.serving(servers.VLLM()) as url:
        pass
    with pytest.raises(LanguageModelError) as caught:
        ask(IMAGE, 2, settings(url))
    assert caught.value.failure is LanguageModelFailure.UNREACHABLE


def test_off_by_default():
    with pytest.raises(LanguageModelError) as caught:
        ask(IMAGE, 2, LanguageModelConfig())
    assert caught.value.failure is LanguageModelFailure.OFF


def test_answers_are_logged_on_request_only(caplog):
    caplog.set_level("INFO", "interpose_ros")
    with servers.serving(servers.VLLM()) as url:
        ask(IMAGE, 2, settings(url))
        assert "shake hands" not in caplog.text
        ask(IMAGE, 2, settings(url, log_answers=True))
    assert "shake hands" in caplog.text


def test_too_few_answers_with_contacts_count_as_knowing_nothing():
    with servers.serving(servers.VLLM()) as url:
        assert not ask(IMAGE, 2, settings(url, least_answers=3)).constraints.empty
        assert ask(IMAGE, 2, settings(url, least_answers=4)).constraints.empty


def test_one_person_drops_what_few_answers_say():
    class Yoga(servers.VLLM):
        def choices(self, request):
            common, rare = '["hand", "foot"]', '["head", "ground"]'
            return [f"[{common}, {rare}]"] + [f"[{common}]"] * (request["n"] - 1)

    with servers.serving(Yoga()) as url:
        result = ask(IMAGE, 1, settings(url))
    assert result.constraints.contacts == (Contact(ContactEnd(0, "foot"), ContactEnd(0, "hand")),)
