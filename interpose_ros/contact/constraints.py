"""Who touches whom where: contacts, alternatives of what is true, and where they come from."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import Enum

from interpose_ros.contact.body_parts import BODY, GROUND, atoms_of


class ConstraintOrigin(str, Enum):
    """Who says so."""

    REQUEST = "request"
    LANGUAGE_MODEL = "language_model"
    HEURISTIC = "heuristic"


@dataclass(frozen=True, order=True)
class ContactEnd:
    """One end of a contact.

    Attributes:
        body: index of the person, 0 or 1; the ground belongs to none and has -1.
        part: one of `body_parts.PARTS`, an atom, BODY or GROUND.
        side: left or right; None leaves it open for parts with sides.
    """

    body: int
    part: str
    side: str | None = None

    def __post_init__(self) -> None:
        if self.part == GROUND:
            if self.body != -1 or self.side is not None:
                raise ValueError("the ground belongs to no body (-1) and has no side")
            return
        if self.body not in (0, 1):
            raise ValueError(f"body {self.body} of a contact: 0 or 1 is meant")
        atoms_of(self.part, self.side)

    def swapped(self) -> ContactEnd:
        """The same of the other person."""
        return self if self.part == GROUND else ContactEnd(1 - self.body, self.part, self.side)


@dataclass(frozen=True)
class Contact:
    """Two parts that touch; the ground, if any, is the second."""

    first: ContactEnd
    second: ContactEnd

    def __post_init__(self) -> None:
        if self.first.part == GROUND:
            raise ValueError("a contact with the ground names the body part first")

    def swapped(self) -> Contact:
        """The same with the persons exchanged."""
        return Contact(self.first.swapped(), self.second.swapped())


@dataclass(frozen=True)
class ContactReport:
    """A contact as the refinement took it.

    Attributes:
        contact: with sides and persons settled.
        weight: share of the samples.
        before, after: distance in metres.
    """

    contact: Contact
    weight: float
    before: float
    after: float


@dataclass(frozen=True)
class ContactSample:
    """Contacts that hold together, as one answer of a language model states them.

    Attributes:
        contacts: all of them at once.
        weight: share of the samples that say so.
        order_open: whether who is who is open: the persons may be exchanged, for all contacts at once.
        both_sides: a part with sides that occurs more than once with its side open means both sides.
    """

    contacts: tuple[Contact, ...]
    weight: float = 1.0
    order_open: bool = False
    both_sides: bool = True

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight) or self.weight < 0:
            raise ValueError(f"weight {self.weight} of a contact: a finite number of at least 0 is meant")


@dataclass(frozen=True)
class ContactConstraints:
    """Alternatives with weights; the loss of each is its own minimum over what it leaves open."""

    samples: tuple[ContactSample, ...]
    origin: ConstraintOrigin

    @property
    def empty(self) -> bool:
        """Whether nothing is known to touch."""
        return not any(sample.contacts and sample.weight > 0 for sample in self.samples)

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every contact that occurs, once."""
        return tuple(dict.fromkeys(contact for sample in self.samples for contact in sample.contacts))


def from_votes(answers: list[tuple[Contact, ...]], order_open: bool, least_votes: int = 0) -> tuple[ContactSample, ...]:
    """Samples from a language model's answers: equal ones are put together, their share is their weight.

    Answers without a contact keep their share, so that doubt weakens the rest.

    Args:
        answers: contacts of each answer.
        order_open: whether who is who is open.
        least_votes: contacts that occur fewer times over all answers are dropped (``f`` of the paper, for one person).
    """
    votes = Counter(contact for answer in answers for contact in answer)
    kept = [tuple(sorted((c for c in a if votes[c] >= least_votes), key=_key)) for a in answers]
    counted = Counter(kept)
    return tuple(ContactSample(contacts, count / len(answers), order_open) for contacts, count in counted.items())


def whole_bodies() -> ContactConstraints:
    """The heuristic where nothing is known: two people who are close touch somewhere."""
    contact = Contact(ContactEnd(0, BODY), ContactEnd(1, BODY))
    return ContactConstraints((ContactSample((contact,)),), ConstraintOrigin.HEURISTIC)


def _key(contact: Contact) -> tuple[object, ...]:
    ends = (contact.first, contact.second)
    return tuple((end.body, end.part, end.side or "") for end in ends)
