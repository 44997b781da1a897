"""The log: who looked at whom, what somebody did, how often. Whoever asks shows cause like an officer, and is in it first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.entry import EntryUnreadable
from proxy.audit.errors import AuditUnavailable
from proxy.audit.index.file import IndexUnusable
from proxy.audit.sealing import SealBroken
from proxy.oversight.questions import ASKERS, BY, COUNTS, OLDEST, Asker, Question, road_in_words
from proxy.tlog.errors import LogDamaged
from proxy.web.console.visit import Page, Tab

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from proxy.oversight.questions import Questions
    from proxy.web.console.visit import Visit

FIELDS: Final = ("case", "statement", "by", "value", "dob", "since", "until", "counts", "before")
WORDS: Final = {
    "officer": "officer: by or about them",
    "case": "case: everything under it",
    "terminal": "terminal: everything from it",
    "entry": "protected person: registry entry",
    "person_id": "person: record number",
    "name": "person: name, best with date of birth",
    "plate": "person: plate",
    "phone": "person: phone",
    "address": "person: address",
    "email": "person: e-mail",
    "license": "person: driver licence",
    "ssn": "person: Social Security number",
    "vin": "person: VIN",
}
"""What the form calls each way to ask."""


class LogRoom:
    """Questions to the log: a form, and what it finds. POST, so that no address bar and no history holds a name."""

    tab = Tab("Log", "/log", roles=ASKERS)

    def __init__(self, questions: Questions) -> None:
        """Take the use case."""
        self._questions = questions

    def pages(self) -> Iterable[Page]:
        """Return the form and its answer."""
        yield Page("GET", "/log", self._form, roles=ASKERS)
        yield Page("POST", "/log", self._found, roles=ASKERS)

    async def _form(self, visit: Visit) -> web.StreamResponse:
        today = visit.now.date()
        fields = dict.fromkeys(FIELDS, "") | {"since": str(today - timedelta(days=7)), "until": str(today)}
        return self._show(visit, fields)

    async def _found(self, visit: Visit) -> web.StreamResponse:
        fields = {name: visit.form.text(name) for name in FIELDS}
        question = Question(
            case=fields["case"],
            statement=fields["statement"],
            by=fields["by"],
            value=fields["value"],
            dob=fields["dob"],
            first=fields["since"],
            last=fields["until"],
            before=fields["before"],
            counts="" if fields["counts"] == OLDEST else fields["counts"],
            order=OLDEST if fields["counts"] == OLDEST else "",
        )
        asker = Asker.of(visit.principal)
        try:
            if question.counts:
                return self._show(visit, fields, counted=await self._questions.count(question, asker))
            return self._show(visit, fields, found=await self._questions.ask(question, asker))
        except (IndexUnusable, LogDamaged, EntryUnreadable, SealBroken) as error:
            raise AuditUnavailable(
                "The log cannot be read; the operator runs `audit verify` and `audit rebuild-index`."
            ) from error

    def _show(self, visit: Visit, fields: dict[str, str], **shown: object) -> web.StreamResponse:
        ways = [(by, WORDS[by]) for by in BY]
        found, counted = shown.get("found"), shown.get("counted")
        return visit.show(
            "log.html", fields=fields, ways=ways, countable=COUNTS, found=found, counted=counted, road=road_in_words
        )
