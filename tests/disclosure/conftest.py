"""Routes, field classes and judges for the specifications of what may leave."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from proxy.disclosure.judgement import Judgement
from proxy.disclosure.service import disclose
from proxy.inquiry.inquiry import Inquiry, Outbound
from proxy.inquiry.route import Absent, Field, Forward, RecordsPath, Route
from proxy.policy.decision import Outcome, Ruling
from proxy.policy.fields import FieldClass
from proxy.registry.forms import form
from proxy.registry.protection import Protection, Recognition, Relation
from proxy.upstream.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.disclosure.disclosure import Disclosure

FIELDS = {
    "person_id": ("person_id", "identifier"),
    "name": ("name", "name"),
    "ssn": ("ssn", "ssn"),
    "phone": ("phone", "phone"),
    "home.street": ("street", "home_address"),
    "home.city": ("city", "home_address"),
    "height": (None, "description"),
    "narrative": ("text", "description"),
    "photo": (None, "photo"),
}
CLASSES = {
    "identifier": None, "name": "[name]", "ssn": "***-**-****", "phone": "[phone]", "home_address": "[address]",
    "description": None, "photo": None,
}  # fmt: skip
ABSENT = b'{"ok":false}'


def marking(kind: str, value: str) -> str:
    """Return a mark that can be read."""
    return f"{kind}:{form(kind, value)}"


@dataclass
class World:
    """A route, and a judge that keeps a journal and rules by person id (``PERMIT`` for everybody else)."""

    rulings: dict[str, Ruling] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    default: Ruling = field(default_factory=lambda: Ruling(outcome=Outcome.PERMIT, rule="ordinary", because="nobody special"))
    records: RecordsPath | None = field(default_factory=lambda: RecordsPath(text="$[*]", many=True))
    envelope: dict[str, bool] = field(default_factory=dict)
    fields: Mapping[str, tuple[str | None, str]] = field(default_factory=lambda: FIELDS)
    most: int = 2000
    cut: int | None = None
    opaque: frozenset[str] = frozenset()
    journal: list[dict[str, list[str]]] = field(default_factory=list)

    def rule(self, person: str, outcome: Outcome, *masked: str, category: str = "judicial") -> None:
        """Have the judge rule so on one person, who is protected."""
        self.rulings[person] = Ruling(outcome=outcome, rule=f"row-{outcome}", because="", masked=frozenset(masked))
        self.protections[person] = Protection(entry=f"entry-{person}", category=category, basis="a statute")

    def judge(self, kinds: Mapping[str, Sequence[str]]) -> Judgement:
        """Rule by person id."""
        self.journal.append({kind: list(values) for kind, values in kinds.items()})
        persons = kinds.get("person_id", ())
        protections = tuple(self.protections[person] for person in persons if person in self.protections)
        relations = frozenset(self.relations[person] for person in persons if person in self.relations)
        ruling = next((self.rulings[person] for person in persons if person in self.rulings), self.default)
        return Judgement(ruling=ruling, recognition=Recognition(protections=protections, relations=relations))

    def inquiry(self) -> Inquiry:
        """Return an inquiry of the route."""
        fields = {
            name: Field(name=name, path=tuple(name.split(".")), kind=kind, field_class=field_class)
            for name, (kind, field_class) in self.fields.items()
        }
        route = Route(
            id="persons",
            method="GET",
            path="/records/persons",
            template=("records", "persons"),
            action="person.search",
            forward=Forward(path=("/records/persons.json",)),
            records=None if self.opaque else self.records,
            fields={} if self.opaque else fields,
            envelope=self.envelope,
            most=self.most,
            cut=self.cut,
            absent=Absent(status=404, body=ABSENT),
            media_types=self.opaque or frozenset({"application/json"}),
            opaque=bool(self.opaque),
        )
        outbound = Outbound(method="GET", target="/records/persons.json")
        return Inquiry(query_id="q1", route=route, action=route.action, outbound=outbound, criteria={"person_id": ("100123",)})

    async def disclose(self, body: Any, status: int = 200, media_type: str = "application/json") -> Disclosure:
        """Have a reply inspected; what is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        classes = {name: FieldClass(name=name, label=name, meaning=name, mask=mask) for name, mask in CLASSES.items()}
        reply = Reply(status=status, media_type=media_type, body=raw)
        return await disclose(reply, self.inquiry(), self.judge, classes, marking)


@pytest.fixture(name="world")
def _world() -> World:
    return World()
