"""What an identity provider's claims mean here: a person, an agency, one role, a unit, a terminal.

Groups and agencies are closed maps. What is not in them is refused, and the reason, which is for the operator, says which claim
it was and never what it held.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from proxy.identity.credential import TERMINAL_PATTERN, UNIT_PATTERN
from proxy.identity.principal import PERSON_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_GROUPS: Final = 1000


class Reason(StrEnum):
    """Why a token is not taken: the closed list that metrics and the operator's log may say."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    KEY = "key"
    SIGNATURE = "signature"
    TYPE = "type"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    EARLY = "early"
    LIFETIME = "lifetime"
    CLAIMS = "claims"
    PERSON = "person"
    AGENCY = "agency"
    ROLE = "role"
    UNIT = "unit"
    TERMINAL = "terminal"
    BINDING = "binding"
    REVOKED = "revoked"
    INSUFFICIENT = "insufficient"
    REPLAYED = "replayed"
    PROVIDER = "provider"


class Unfit(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A token is not taken. The message is for the operator and holds nothing of the token."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason, which is a metric's label."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """Which claim says what: a name, or a path as RFC 6901 has it. ``agencies`` and ``roles`` are closed maps."""

    person: str
    agency: str | None
    groups: str
    role: str | None
    unit: str | None
    terminal: str | None
    agencies: Mapping[str, str]
    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a token is of: in ``role``, of the ``roles`` that the groups give; ``terminal`` is None where it names none."""

    person: str
    agency: str
    role: str
    roles: frozenset[str]
    unit: str | None
    terminal: str | None


def identity_of(claims: Mapping[str, object], rules: ClaimRules) -> Identity:
    """Return who the claims are of.

    Raises:
        Unfit: a claim is missing, not of its form, or in no map.
    """
    person = _text(claims, rules.person)
    if person is None or not PERSON_PATTERN.match(person):
        raise Unfit(Reason.PERSON, f"claim {rules.person} is no personnel id (lower-case letters, digits, . _ -)")
    unit = _text(claims, rules.unit)
    if unit is not None and not UNIT_PATTERN.match(unit):
        raise Unfit(Reason.UNIT, f"claim {rules.unit} is no call sign (upper-case letters, digits, . _ -)")
    terminal = _text(claims, rules.terminal)
    if terminal is not None and not TERMINAL_PATTERN.match(terminal):
        raise Unfit(Reason.TERMINAL, f"claim {rules.terminal} is no terminal's name (letters, digits, . _ -)")
    roles = _roles(claims, rules)
    role = _role(claims, rules, roles)
    return Identity(
        person=person, agency=_agency(claims, rules), role=role, roles=roles, unit=unit, terminal=terminal
    )  # fmt: skip


def found(claims: Mapping[str, object], place: str) -> object:
    """Return the claim at a name or path, or None."""
    if not place.startswith("/"):
        return claims.get(place)
    value: object = claims
    for step in place[1:].split("/"):
        if not isinstance(value, dict):
            return None
        value = value.get(step.replace("~1", "/").replace("~0", "~"))
    return value


def _agency(claims: Mapping[str, object], rules: ClaimRules) -> str:
    if rules.agency is None:
        return next(iter(rules.agencies.values()))
    named = _text(claims, rules.agency)
    if named is None:
        raise Unfit(Reason.AGENCY, f"claim {rules.agency}, which says the agency, is missing or no text")
    if named not in rules.agencies:
        raise Unfit(Reason.AGENCY, f"what claim {rules.agency} holds is not among oidc.agencies")
    return rules.agencies[named]


def _roles(claims: Mapping[str, object], rules: ClaimRules) -> frozenset[str]:
    held = found(claims, rules.groups)
    groups = [held] if isinstance(held, str) else held
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS or not all(isinstance(group, str) for group in groups):
        raise Unfit(Reason.ROLE, f"claim {rules.groups} is missing, or no list of groups")
    roles = frozenset(rules.roles[group] for group in groups if group in rules.roles)
    if not roles:
        raise Unfit(Reason.ROLE, f"none of the {len(groups)} groups in claim {rules.groups} is among oidc.roles")
    return roles


def _role(claims: Mapping[str, object], rules: ClaimRules, roles: frozenset[str]) -> str:
    chosen = _text(claims, rules.role)
    if chosen is not None:
        chosen = rules.roles.get(chosen, chosen)
        if chosen not in roles:
            raise Unfit(Reason.ROLE, f"claim {rules.role} names a role that the person's groups do not give")
        return chosen
    if len(roles) > 1:
        hint = f"claim {rules.role} has to say which" if rules.role else "name a claim that says which as oidc.claims.role"
        raise Unfit(Reason.ROLE, f"the person's groups give {len(roles)} roles: {hint}")
    return next(iter(roles))


def _text(claims: Mapping[str, object], place: str | None) -> str | None:
    """Return a claim that is text; None when it is not there, or nobody asks for it.

    Raises:
        Unfit: it is there and no text.
    """
    value = found(claims, place) if place is not None else None
    if value is not None and not isinstance(value, str):
        raise Unfit(Reason.CLAIMS, f"claim {place} is no text")
    return value
