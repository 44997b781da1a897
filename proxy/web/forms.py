"""The form of ``Query-Purpose`` for one role, as JSON Schema (2020-12), so that a terminal can build its own.

Nothing in it depends on who is protected, on cases, or on who asks beyond the role: it is a reading of ``policy.csv`` and
``purposes.yaml``, the same for everybody of the role. The keywords that begin with ``x-`` are annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from proxy.policy.decision import Outcome
from proxy.policy.lattice import ruling_of
from proxy.purpose.header import CASE_PATTERN, NAME_CHARACTERS, ROOT_PATTERN, STATEMENT_CHARACTERS
from proxy.purpose.purpose import Standing
from proxy.purpose.statement import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.policy.service import PolicySet
    from proxy.purpose.catalogue import Code

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MEDIA_TYPE: Final = "application/schema+json"
CASE_CHARACTERS: Final = 64
ROOT_CHARACTERS: Final = 280

_LEADS_TO_AN_ANSWER: Final = frozenset({Outcome.PERMIT, Outcome.MASK, Outcome.ESCALATE})
_PROMPTS: Final[Mapping[str, str]] = {
    "case": "Which case is this for?",
    "statement": "What happened, and who is it about?",
    "exigent": "Is somebody in danger at this moment? What is happening, and where?",
    "requestor": "On whose behalf do you ask?",
    "recipient": "Who will be given the answer?",
    "location": "Where are you?",
}
_OPTIONAL: Final = ("exigent", "requestor", "recipient", "location")


def usable(policies: PolicySet, role: str) -> Mapping[str, tuple[str, ...]]:
    """Return the codes that lead a role to an answer, or to a supervisor, for anybody at all, each with its actions.

    By every question that the policy can tell apart, not by trying some.
    """
    actions = sorted(action for action, _ in policies.routes.actions)
    found = {
        code.name: tuple(action for action in dict.fromkeys(actions) if _served(policies, role, code, action))
        for code in policies.catalogue.codes.values()
    }
    return {name: served for name, served in found.items() if served}


def form(policies: PolicySet, role: str) -> dict[str, Any]:
    """Return the schema of the Query-Purpose that a role can send, its members as an object's."""
    catalogue, served = policies.catalogue, usable(policies, role)
    ways = [_stated(catalogue.codes[name], actions, catalogue.permissible_uses) for name, actions in served.items()]
    rule = catalogue.derivation
    if rule is not None and rule.code in served:
        ways.append(_dispatched(catalogue.codes[rule.code], sorted(rule.kinds)))
    if ways:
        ways.append(_inherited())
    return {
        "$schema": DIALECT,
        "$id": "/purposes",
        "title": "Query-Purpose",
        "description": "Why a query is made: an RFC 9651 dictionary, code as a token and every other member as a string.",
        "type": "object",
        "x-role": role,
        "x-policy": policies.version,
        # An empty oneOf is no schema; nothing at all fits this one.
        **({"oneOf": ways} if ways else {"not": {}}),
    }


def _served(policies: PolicySet, role: str, code: Code, action: str) -> bool:
    if code.refused is not None or action not in code.actions:
        return False
    lattice, unverified = policies.lattice, policies.catalogue.officer_safety.covers(code.name, action)
    return any(
        ruling_of(lattice.matching(facts)).outcome in _LEADS_TO_AN_ANSWER
        for standing in (*code.standings, *((Standing.UNVERIFIED,) if unverified else ()))
        for facts in lattice.cells(role=role, action=action, purpose=code.name, standing=str(standing))
    )


def _stated(code: Code, actions: Sequence[str], uses: Mapping[int, str]) -> dict[str, Any]:
    statement = ("statement",) if code.statement_required else ()
    way = _object(code.label, code.meaning, code, ("case", "statement", *_OPTIONAL), ("case", *statement, *code.requires))
    way["properties"] = {"code": {"const": code.name, "title": code.label}, **way["properties"]}
    way["required"] = ["code", *way["required"]]
    way["x-actions"] = list(actions)
    way["x-accepts"] = sorted(code.accepts)
    way["x-standing"] = [str(standing) for standing in code.standings]
    if code.subject_on_case:
        way["x-subject-on-case"] = sorted(code.subject_on_case.intersection(actions))
    if code.permissible_use is not None:
        way["x-permissible-use"] = {"paragraph": code.permissible_use, "meaning": uses[code.permissible_use]}
    return way


def _dispatched(code: Code, kinds: Sequence[str]) -> dict[str, Any]:
    meaning = "The event's number is enough for whoever is dispatched to it: code and statement come from the event."
    way = _object("Dispatched", meaning, code, ("case", *_OPTIONAL), ("case", *code.requires))
    return {**way, "x-accepts": list(kinds)}


def _inherited() -> dict[str, Any]:
    meaning = "Of a query that another one caused: about one person or vehicle that the answer to that one named."
    way = _object("Cascade", meaning, None, _OPTIONAL, ())
    root = {"type": "string", "title": "Audit-Entry of the answer", "pattern": _ecma(ROOT_PATTERN.pattern)}
    way["properties"] = {"root": {**root, "maxLength": ROOT_CHARACTERS}, **way["properties"]}
    way["required"] = ["root"]
    return way


def _object(title: str, meaning: str, code: Code | None, members: Iterable[str], required: Iterable[str]) -> dict[str, Any]:
    prompts = {**_PROMPTS, **(code.prompts if code else {})}
    return {
        "title": title,
        "description": meaning,
        "type": "object",
        "properties": {name: {"title": prompts[name], **_member(name, code)} for name in members},
        "required": list(required),
        "additionalProperties": False,
    }


def _member(name: str, code: Code | None) -> dict[str, Any]:
    if name == "case":
        # The door reads a number in capitals and with single spaces, so it may be typed otherwise.
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": CASE_CHARACTERS,
            "pattern": _ecma(_any_case(CASE_PATTERN.pattern)),
        }
    if name == "exigent":
        return {"type": "string", "minLength": 1, "maxLength": STATEMENT_CHARACTERS, "x-words": WORDS}
    if name == "statement":
        words = {"x-words": code.statement_words} if code is not None else {}
        return {"type": "string", "minLength": 1, "maxLength": STATEMENT_CHARACTERS, **words}
    return {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}


def _any_case(pattern: str) -> str:
    return pattern.replace("A-Z", "A-Za-z")


def _ecma(pattern: str) -> str:
    return f"^{pattern.removesuffix(chr(92) + 'Z')}$"
