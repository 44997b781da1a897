"""Cause, as a command shows it: ``--case`` and ``--statement``, held against the case directory as every question's are."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from proxy.audit.errors import AuditUnavailable
from proxy.cli.common import Code, CommandFailed
from proxy.cli.recording import recording
from proxy.oversight.cause import shown_cause
from proxy.purpose.purpose import CaseDirectoryUnavailable, CaseUnknown, StatementUninformative
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.cli.recording import Recording
    from proxy.purpose.directory import CaseDirectory
    from proxy.settings import Settings


@asynccontextmanager
async def cases_of(settings: Settings, store: Recording) -> AsyncIterator[CaseDirectory]:
    """Yield the configured case directory."""
    from proxy.purpose.case_system import case_directory  # noqa: PLC0415 -- JSONPath and a client take their time
    from proxy.telemetry import Metrics  # noqa: PLC0415 -- likewise

    system = settings.cases.system
    async with case_directory(system, store.database, store.key, metrics=Metrics(), monotonic=time.perf_counter) as cases:
        yield cases


async def case_with_cause(settings: Settings, *, case: str, statement: str, label: str) -> str:
    """Return the case's number as the directory has it. ``label`` says what is asked for.

    Raises:
        CommandFailed: cause is not shown.
        DatabaseUnusable, CaseSystemUnusable: the directory cannot be asked.
    """
    must_be_given(case, statement)
    async with recording(settings) as store, cases_of(settings, store) as cases:
        try:
            return await shown_cause(cases, case=case, statement=statement, label=label)
        except Refusal as refusal:
            raise refused(refusal) from refusal


def must_be_given(case: str, statement: str) -> None:
    """Return when a case and a statement are given.

    Raises:
        CommandFailed: one is missing.
    """
    missing = [option for option, value in (("--case", case), ("--statement", statement)) if not value.strip()]
    if missing:
        message = f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing"
        raise CommandFailed(message, help='add --case NUMBER --statement "why"', code=Code.WRONG_USE)


def refused(refusal: Refusal) -> CommandFailed:
    """Return a refusal as a command's end, with what to do about it."""
    match refusal:
        case AuditUnavailable() | CaseDirectoryUnavailable():
            return CommandFailed(refusal.detail, help="`doctor` looks at every part and says what to do")
        case CaseUnknown():
            help_ = "give the number as the case system has it; `cases list` shows those that were imported"
        case StatementUninformative():
            help_ = "say it with --statement"
        case _:
            help_ = "see --help"
    return CommandFailed(refusal.detail, help=help_, code=Code.WRONG_USE)
