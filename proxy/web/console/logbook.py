"""The log: who asked, under which case, and when. Whoever searches shows cause as an officer does, and is in the log first."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.entry import EntryUnreadable
from proxy.audit.errors import AuditUnavailable
from proxy.audit.sealing import SealBroken
from proxy.audit.search import LogSearched
from proxy.inquiry.inquiry import BodyUnreadable
from proxy.purpose.header import normal_case
from proxy.purpose.purpose import CaseUnknown, StatementUninformative
from proxy.purpose.statement import objection
from proxy.tlog.errors import LogDamaged
from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from proxy.audit.search import LogSearch
    from proxy.purpose.directory import CaseDirectory
    from proxy.web.console.visit import Visit

READERS: Final = frozenset({"auditor"})
FIELDS: Final = ("case", "statement", "by", "value", "since", "until", "before")
LONGEST: Final = timedelta(days=366)


class LogRoom:
    """A search of the log: a form, and what it finds. POST, so that no address bar and no history holds a name."""

    tab = Tab("Log", "/log", roles=READERS)

    def __init__(self, search: LogSearch, cases: CaseDirectory) -> None:
        """Take the search, and the directory that knows the searcher's case."""
        self._search = search
        self._cases = cases

    def pages(self) -> Iterable[Page]:
        """Return the form and its answer."""
        yield Page("GET", "/log", self._form, roles=READERS)
        yield Page("POST", "/log", self._found, roles=READERS)

    async def _form(self, visit: Visit) -> web.StreamResponse:
        today = visit.now.date()
        fields = dict.fromkeys(FIELDS, "") | {"since": str(today - timedelta(days=7)), "until": str(today)}
        return visit.show("log.html", found=None, fields=fields)

    async def _found(self, visit: Visit) -> web.StreamResponse:
        fields = {name: visit.form.text(name) for name in FIELDS}
        searched = await self._searched(visit, fields)
        try:
            found = await self._search.search(searched)
        except (LogDamaged, EntryUnreadable, SealBroken) as error:
            raise AuditUnavailable("The log cannot be read; the operator runs `audit verify`.") from error
        return visit.show("log.html", found=found, fields=fields)

    async def _searched(self, visit: Visit, fields: dict[str, str]) -> LogSearched:
        """Return the search that a form asks for, once its case is known and its words say something.

        Raises:
            CaseUnknown, CaseDirectoryUnavailable, StatementUninformative, BodyUnreadable.
        """
        case = await self._cases.look_up(normal_case(fields["case"])) if fields["case"] else None
        if case is None:
            raise CaseUnknown("The case that you search for is not in the case directory.")
        told = objection(fields["statement"], case=fields["case"], label="search of the log")
        if told is not None:
            raise StatementUninformative(told)
        by, value = fields["by"], fields["value"]
        if by not in {"case", "officer"} or not value:
            raise BodyUnreadable("Say whether you search by case or by officer, and which.")
        since, until = _day(fields["since"]), _day(fields["until"]) + timedelta(days=1)
        if not since < until <= since + LONGEST:
            raise BodyUnreadable("The first day has to be before the last, and no more than a year.")
        before = fields["before"]
        if before and not (before.isascii() and before.isdigit() and len(before) < 16):
            raise BodyUnreadable("The place to go on from is no number.")
        return LogSearched(
            operator=visit.principal.person,
            role=visit.principal.role,
            case=case.number,
            statement=fields["statement"],
            by="case" if by == "case" else "officer",
            value=normal_case(value) if by == "case" else value.lower(),
            since=since,
            until=until,
            before=int(before) if before else None,
        )


def _day(text: str) -> datetime:
    try:
        return datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(), UTC)  # noqa: DTZ007 -- a day, in UTC
    except ValueError:
        raise BodyUnreadable("Write days as year-month-day, like 2026-11-23.") from None
