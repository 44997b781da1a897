"""How commands open the registry: for reading, or for changes that each go into the log."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.cli.common import Code, CommandFailed
from proxy.cli.recording import recording
from proxy.clock import utc_now
from proxy.database import Database
from proxy.document import DocumentInvalid
from proxy.policy.decision import Outcome
from proxy.policy.fields import load_fields
from proxy.policy.vocabulary import ANY, COLUMNS, load_vocabulary
from proxy.registry.keyring import Keyring
from proxy.registry.lines import IDENTIFIERS
from proxy.registry.service import Registry
from proxy.registry.stewards import Stewards
from proxy.registry.thresholds import load_thresholds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from proxy.settings import Settings

IN_FORCE: Final = "a running server knows it within a second or two"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Registry]:
    """Yield the registry for changes, each of which goes into the log. Raises as ``recording``."""
    async with changing(settings) as (registry, _):
        yield registry


@asynccontextmanager
async def changing(settings: Settings) -> AsyncIterator[tuple[Registry, Stewards]]:
    """Yield the registry, and what stewards do to its entries. Raises as ``recording``."""
    key = Keyring.of(settings.keys.registry)
    async with recording(settings) as recorder:
        registry = Registry(recorder.database, key, utc_now, outbox=recorder.outbox)
        yield registry, Stewards(registry, recorder.database, key, utc_now, outbox=recorder.outbox)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Registry]:
    """Yield the registry for reading only."""
    key = Keyring.of(settings.keys.registry)
    thresholds = load_thresholds(settings.policies / "recognition.yaml", categories=None)
    database = Database(settings.store)
    await database.open()
    try:
        yield Registry(database=database, key=key, clock=utc_now, thresholds=thresholds)
    finally:
        await database.close()


def words_of(settings: Settings) -> dict[str, Collection[str]]:
    """Return the categories and the field classes of the policy."""
    return {
        "categories": load_vocabulary(settings.policies / "vocabulary.yaml").categories.keys(),
        "classes": load_fields(settings.policies / "fields.yaml").keys(),
    }


def concealed_by(settings: Settings) -> Collection[str]:
    """Return the categories that a row of the policy conceals.

    Raises:
        DocumentInvalid: the policy has mistakes.
    """
    from proxy.policy.service import load_policies  # noqa: PLC0415 -- Casbin takes its time

    policies = load_policies(settings.policies)
    members = policies.sheet.members()
    column = COLUMNS.index("category")
    rows = [row.conditions[column] for row in policies.sheet.rows if row.outcome is Outcome.CONCEAL]
    return {
        category
        for category in policies.vocabulary.categories
        if any(word in (ANY, category) or category in members.get(("category", word), ()) for word in rows)
    }


def risky_by(settings: Settings) -> Collection[str]:
    """Return what ``concealed_by`` does, or nothing: that a rule has a mistake keeps nobody from being enrolled."""
    try:
        return concealed_by(settings)
    except DocumentInvalid:
        return ()


def given() -> dict[str, Any]:
    """Return the JSON object on standard input.

    Raises:
        CommandFailed: it is none.
    """
    try:
        raw = orjson.loads(sys.stdin.buffer.read(1 << 16))
    except orjson.JSONDecodeError:
        raw = None
    if not isinstance(raw, dict):
        raise CommandFailed(
            "standard input is not a JSON object", help=f"its keys: {', '.join(IDENTIFIERS)}", code=Code.WRONG_USE
        )
    return raw
