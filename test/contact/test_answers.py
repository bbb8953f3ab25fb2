"""Reading what language models write."""

import pytest

from interpose_ros.contact.answers import read_answer
from interpose_ros.contact.body_parts import GROUND
from interpose_ros.contact.constraints import Contact, ContactEnd, ContactSample, from_votes
from interpose_ros.contact.part_names import read_part


def touch(first, second, people=2):
    return Contact(ContactEnd(0, first), ContactEnd(people - 1, second))


@pytest.mark.parametrize(
    "text",
    [
        '{"contacts": [{"person_1_part": "hand", "person_2_part": "waist (back)"}]}',
        'Of course.\n```json\n[["hand", "waist (back)"]]\n```',
        'I see {two people}. {"contacts": [{"a": "the left hand", "b": "waist back"}]} That is all.',
        "| Person 1 Body Part | Person 2 Body Part |\n|:--|--:|\n| Hand | Waist (back) |",
        "They dance.\n\nPerson 1 | Person 2\n--- | ---\nright hand | **lower back**\n",
        "|Person 1|Person 2|\n|---|---|\n|Hand|Waist (back)|\nI am quite sure | really",
    ],
)
def test_json_tables_and_prose_say_the_same(text):
    answer = read_answer(text, 2)
    assert answer.understood
    assert answer.contacts[0] == touch("hand", "waist (back)")


def test_unknown_parts_are_dropped_and_kept_count_of():
    answer = read_answer('[["hand", "wing"], ["tail", "back"], ["hand", "back"]]', 2)
    assert answer.contacts == (touch("hand", "back"),)
    assert answer.dropped == ("hand - wing", "tail - back")


def test_plurals_count_twice_and_slashes_are_alternatives():
    assert read_answer('[["hands", "back"]]', 2).contacts == (touch("hand", "back"),) * 2
    assert read_answer("|a|b|\n|-|-|\n|hand/arm|back|", 2).contacts == (touch("hand", "back"), touch("arm", "back"))


def test_sides_are_believed_only_on_request():
    text = '[["left hand", "right shoulder (back)"]]'
    assert read_answer(text, 2).contacts == (touch("hand", "shoulder (back)"),)
    kept = read_answer(text, 2, keep_sides=True).contacts[0]
    assert (kept.first.side, kept.second.side) == ("left", "right")


def test_one_person_and_the_ground():
    answer = read_answer('[["foot", "ground"], ["ground", "hand"], ["leg", "hand"]]', 1)
    assert answer.contacts[0] == Contact(ContactEnd(0, "foot"), ContactEnd(-1, GROUND))
    assert answer.contacts[1] == Contact(ContactEnd(0, "hand"), ContactEnd(-1, GROUND))
    assert answer.contacts[2] == touch("hand", "leg", people=1)


@pytest.mark.parametrize("text", ["", "I cannot help with that.", "{broken", "[1, 2, 3]", '{"answer": 42}'])
def test_text_without_a_list_is_not_understood(text):
    assert not read_answer(text, 2).understood


@pytest.mark.parametrize("text", ["[]", '{"contacts": []}', "|Person 1|Person 2|\n|---|---|\n"])
def test_an_empty_list_is_an_answer(text):
    answer = read_answer(text, 2)
    assert answer.understood
    assert answer.contacts == ()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Left Hand", ("hand", "left", False)),
        ("both hands", ("hand", None, True)),
        ("feet", ("foot", None, True)),
        ("shoulders (back)", ("shoulder (back)", None, True)),
        ("his knee.", ("leg", None, False)),
        ("Buttocks", ("butt", None, False)),
        ("the ground", ("ground", None, False)),
        ("aura", None),
        ("", None),
    ],
)
def test_parts_as_people_write_them(text, meant):
    assert read_part(text) == meant


def test_votes_become_weights_and_rare_contacts_go():
    hand, arm = touch("hand", "hand"), touch("arm", "arm")
    samples = from_votes([(hand,), (hand, arm), (hand,), ()], order_open=True)
    assert samples == (
        ContactSample((hand,), 0.5, True),
        ContactSample((arm, hand), 0.25, True),
        ContactSample((), 0.25, True),
    )
    kept = from_votes([(hand,), (hand, arm), (hand,), ()], order_open=False, least_votes=2)
    assert kept == (ContactSample((hand,), 0.75), ContactSample((), 0.25))
