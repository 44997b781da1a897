"""The form of Query-Purpose by role: what policy lets the role use, all of it and nothing else."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from proxy.policy.decision import Facts, Outcome
from proxy.policy.lattice import ruling_of
from proxy.policy.service import PolicySet, load_policies
from proxy.policy.vocabulary import COLUMNS
from proxy.purpose.header import Stated, parse
from proxy.purpose.purpose import Standing
from proxy.web.documents import Documents
from proxy.web.forms import form, usable
from proxy.web.openapi import document
from tests.web.conftest import POST_ROUTE

if TYPE_CHECKING:
    from typing import Any

POLICIES = Path(__file__).parents[2] / "policies"
ROLES = ("patrol", "detective", "dispatcher", "supervisor", "records", "handler", "auditor", "steward")


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    """Provide the shipped policies."""
    return load_policies(POLICIES)


def valid(schema: dict[str, Any], **members: str) -> bool:
    """Tell whether a purpose fits a form."""
    return bool(Draft202012Validator(schema).is_valid(members))


@pytest.mark.parametrize("role", ROLES)
def test_a_code_is_offered_exactly_where_the_policy_could_answer(policies: PolicySet, role: str) -> None:
    """Every question in words of the vocabulary is tried, and not only those that the rows can tell apart."""
    words = policies.words.words
    columns = {name: sorted(words[name]) for name in COLUMNS}
    offered = usable(policies, role)

    def answered(code: str, action: str) -> bool:
        standings = [str(standing) for standing in policies.catalogue.codes[code].standings]
        standings += [Standing.UNVERIFIED] * policies.catalogue.officer_safety.covers(code, action)
        asked = product([role], [action], [code], columns["category"], standings, columns["relation"], columns["approval"])
        return any(
            ruling_of(policies.lattice.matching(Facts(*facts))).outcome in {Outcome.PERMIT, Outcome.MASK, Outcome.ESCALATE}
            for facts in asked
        )

    for code in policies.catalogue.codes.values():
        if code.refused is None:
            served = {action for action in code.actions if answered(code.name, action)}
            assert set(offered.get(code.name, ())) == served


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_form_that_is_a_schema(policies: PolicySet, role: str) -> None:
    """Of the 2020-12 dialect, and without the codes that nobody here may use."""
    schema = form(policies, role)

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    codes = {way["properties"].get("code", {}).get("const") for way in schema.get("oneOf", ())}
    assert codes.isdisjoint("SVAR")


@pytest.mark.parametrize("role", ["auditor", "steward", "nobody"])
def test_who_may_ask_nothing_has_a_form_that_nothing_fits(policies: PolicySet, role: str) -> None:
    """There is no code to choose, so no purpose is a good one."""
    schema = form(policies, role)

    assert "oneOf" not in schema
    assert not valid(schema, code="C", case="26-004217", statement="stopped for no plates")
    assert not valid(schema)


def test_the_form_takes_what_the_header_takes(policies: PolicySet) -> None:
    """Each way of showing cause fits exactly one alternative: stated, dispatched, caused by another query."""
    patrol, records = form(policies, "patrol"), form(policies, "records")

    assert valid(patrol, code="C", case="26-004217", statement="stopped for no plates")
    assert valid(patrol, code="C", case="26-004217", statement="stopped for no plates", location="Main/5th")
    assert valid(patrol, case="cad-1")
    assert valid(patrol, root="log.example/17")
    assert valid(records, code="F", case="P-1", statement="renewal of carry permit", requestor="clerk")
    assert not valid(patrol, code="F", case="P-1", statement="renewal of carry permit", requestor="clerk")
    assert not valid(records, code="F", case="P-1", statement="renewal of carry permit")
    assert not valid(patrol, code="C", case="26-004217")
    assert not valid(patrol, code="C", case="-", statement="stopped for no plates")
    assert not valid(patrol, code="C", case="26-004217", statement="stopped for no plates", remark="x")
    assert not valid(patrol, root="17")
    assert parse('case="cad-1"') == Stated(case="CAD-1")


def test_prompts_are_those_of_the_file(policies: PolicySet) -> None:
    """A code's own prompt stands where it has one, that of all codes elsewhere."""
    ways = {way["title"]: way["properties"] for way in form(policies, "records")["oneOf"]}

    assert ways["Firearms check"]["case"]["title"] == "Which application is this for?"
    assert ways["Criminal justice"]["statement"]["title"] == policies.catalogue.codes["C"].prompts["statement"]
    assert all(member["title"] for properties in ways.values() for member in properties.values())


def test_a_document_is_made_once_for_a_policy(policies: PolicySet, tmp_path: Path) -> None:
    """The same bytes until the policy is another; each role's form has a validator of its own."""
    ruling = [policies]
    documents = Documents(lambda: ruling[0])
    before = documents.purposes("patrol"), documents.openapi()
    assert documents.purposes("patrol") is before[0]
    shutil.copytree(POLICIES, tmp_path / "policies")
    with (tmp_path / "policies" / "routes.yaml").open("a", encoding="utf-8") as routes:
        routes.write(POST_ROUTE)

    ruling[0] = load_policies(tmp_path / "policies")

    assert documents.openapi().etag != before[1].etag
    assert documents.purposes("records").etag != documents.purposes("patrol").etag


def test_a_route_with_a_body_describes_it(tmp_path: Path) -> None:
    """Its members nested as they are sent, and nothing else beside them."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    with (tmp_path / "policies" / "routes.yaml").open("a", encoding="utf-8") as routes:
        routes.write(POST_ROUTE)

    described = document(load_policies(tmp_path / "policies"))

    [operation] = [path["post"] for name, path in described["paths"].items() if name == "/search/persons"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert operation["operationId"]
    assert schema["properties"]
    assert schema["additionalProperties"] is False


def test_every_shape_of_reply_and_request_has_a_description(tmp_path: Path) -> None:
    """Records deep in a reply, nested fields, documents not looked into, numbers and patterns of one's own."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    with (tmp_path / "policies" / "routes.yaml").open("a", encoding="utf-8") as routes:
        routes.write(ODD_ROUTES)

    described = document(load_policies(tmp_path / "policies"))

    validate({**described, "paths": {name: path for name, path in described["paths"].items() if name.startswith("/odd/")}})
    deep = described["paths"]["/odd/deep"]["post"]
    photo = described["paths"]["/odd/photos/{photo_id}"]["get"]
    who = deep["requestBody"]["content"]["application/json"]["schema"]["properties"]["who"]
    assert who["properties"]["age"]["type"] == "integer"
    assert [each["pattern"] for each in who["properties"]["license"]["allOf"]][1] == "^(?:[A-Z0-9]+)$"
    assert who["additionalProperties"] is False
    found = deep["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"][0]
    assert found["properties"]["rows"]["items"]["properties"]["person"]["properties"]["home"]["properties"].keys() == {"street"}
    assert photo["responses"]["200"]["content"] == {"image/jpeg": {}, "image/png": {}}


ODD_ROUTES = """
  odd-deep:
    method: POST
    path: /odd/deep
    action: person.search
    body:
      who.license: {kind: license, pattern: "[A-Z0-9]+"}
      who.age: {integer: true}
    require:
      - [who.license]
    forward: {path: /odd/deep}
    records: $.rows[*].person
    fields:
      person_id: {kind: person_id, class: identifier}
      home.street: {kind: street, class: home_address}
    envelope: {rows: keep}
    most: 5
    absent: {status: 200, body: {rows: []}}
  odd-photo:
    method: GET
    path: /odd/photos/{photo_id}
    action: person.read
    params:
      photo_id: {kind: person_id}
    forward: {path: "/odd/photos/{photo_id}"}
    opaque: {media_types: [image/jpeg, image/png]}
    absent: {status: 404, body: {ok: false}}
"""
