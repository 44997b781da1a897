"""The section ``oidc``: what has no safe default must be said, and what would weaken it is refused or called unsafe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.settings.conftest import Configuration

GOOD = {
    "issuer": "https://login.example.gov/realms/police",
    "client_id": "showcause",
    "client_secret": "keys/oidc.secret",
    "audience": "https://showcause.example.gov",
    "redirect": "https://console.example.gov/sign-in/callback",
    "agencies": {"KY0429900": "KY0429900"},
    "roles": {"pd-patrol": "patrol"},
}


def section(**changes: object) -> str:
    """Return the section; a change to None leaves a setting out."""
    return f"oidc: {json.dumps({name: value for name, value in (GOOD | changes).items() if value is not None})}\n"


def test_without_the_section_there_is_no_provider(configuration: Configuration) -> None:
    """Keys and certificates alone."""
    assert configuration.load().oidc is None


def test_a_minimal_section_has_the_documented_defaults(configuration: Configuration) -> None:
    """Twelve hours, a second factor, asymmetric signatures, half a minute of skew; paths are relative to the file."""
    found = configuration.load(section()).oidc

    assert found is not None
    assert (found.max_age_seconds, found.amr, found.skew_seconds, found.token_seconds) == (43200, ("mfa",), 30, 5400)
    assert found.algorithms == ("RS256", "PS256", "ES256", "EdDSA")
    assert (found.claims.person, found.claims.groups) == ("sub", "groups")
    assert (found.keys_fresh_seconds, found.keys_stale_seconds, found.embedded_keys) == (300, 3600, True)
    assert found.client_secret == configuration.folder / "keys/oidc.secret"
    assert found.options().rules.issuer == GOOD["issuer"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"issuer": "http://login.example.gov"}, "must be https"),
        ({"issuer": "login.example.gov"}, "must be a URL"),
        ({"issuer": "https://user@login.example.gov"}, "without user"),
        ({"issuer": "https://login.example.gov/?realm=a"}, "without user, query"),
        ({"redirect": "http://console.example.gov/sign-in/callback"}, "must be https"),
        ({"issuer": None}, "'issuer' is missing"),
        ({"audience": None}, "'audience' is missing"),
        ({"audience": "showcause"}, "must differ from client_id"),
        ({"client_secret": None}, "either 'client_secret' or 'client_key'"),
        ({"client_key": "keys/oidc.pem"}, "either 'client_secret' or 'client_key'"),
        ({"algorithms": ["HS256"]}, "RS256"),
        ({"algorithms": ["none"]}, "RS256"),
        ({"algorithms": []}, "one or more of RS256"),
        ({"claims": {"person": "email"}}, "can be given to another person"),
        ({"claims": {"person": "preferred_username"}}, "can be given to another person"),
        ({"claims": {"person": "/user/email"}}, "can be given to another person"),
        ({"claims": {"groups": "/"}}, "path to it"),
        ({"agencies": {}}, "at least 1 item"),
        ({"agencies": {"a": "KY0429900", "b": "KY0429901"}}, "several ORIs"),
        ({"agencies": {"a": "Lakeview"}}, "nine-character ORI"),
        ({"roles": {}}, "at least 1 item"),
        ({"roles": {"pd-patrol": "Patrol"}}, "role of vocabulary.yaml"),
        ({"amr": []}, "second factor"),
        ({"scopes": ["profile"]}, "openid"),
        ({"skew_seconds": 301}, "300"),
        ({"max_age_seconds": 0}, "greater than 0"),
        ({"secret": "x"}, "unknown key 'secret'"),
    ],
)
def test_what_is_wrong_or_weak_is_a_mistake(configuration: Configuration, changes: dict[str, object], says: str) -> None:
    """Each at its place, with a sentence."""
    mistake = configuration.mistake(section(**changes))

    assert says in mistake.message + (mistake.help or "")


def test_a_single_factor_has_to_be_called_unsafe(configuration: Configuration) -> None:
    """An acr will do instead of amr; nothing at all only under its name."""
    for changes in ({"amr": [], "acr": ["strong"]}, {"amr": [], "unsafe_single_factor": True}):
        assert configuration.load(section(**changes)).oidc is not None


def test_on_loopback_it_may_be_plain(configuration: Configuration) -> None:
    """For trying it out."""
    plain = section(issuer="http://127.0.0.1:8080", redirect="http://localhost:8441/sign-in/callback")

    assert configuration.load(plain).oidc is not None
