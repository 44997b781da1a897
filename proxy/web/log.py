"""Questions to the log at the console's door, for programs: ``POST /log/search`` and ``POST /log/count``.

POST, since what is sought is a person: no address, no history and no other server's log may hold it. An answer is never kept or
said to be unchanged, since each question is an entry of the log.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Final

import orjson

from proxy.audit.entry import EntryUnreadable
from proxy.audit.errors import AuditUnavailable
from proxy.audit.index.file import IndexUnusable
from proxy.audit.sealing import SealBroken
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, RouteUnknown
from proxy.oversight.questions import ASKERS, Asker, Question
from proxy.tlog.errors import LogDamaged
from proxy.web.escalations import require
from proxy.web.respond import respond

if TYPE_CHECKING:
    from aiohttp import web

    from proxy.audit.search import Line
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.oversight.questions import Questions

LOG: Final = "log"
_MEMBERS: Final = frozenset(each.name for each in fields(Question))
_NEEDED: Final = frozenset({"case", "statement", "by", "value", "first", "last"})


class LogDoor:
    """What the console's door serves of the log."""

    def __init__(self, questions: Questions, origin: str) -> None:
        """Take the use case; ``origin`` begins every reference."""
        self._questions = questions
        self._origin = origin

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        if principal.role not in ASKERS or target.query or target.segments[1:] not in {("search",), ("count",)}:
            raise RouteUnknown("There is no such question here, or it is not for your role.")
        require(inbound, "POST")
        counting = target.segments[1] == "count"
        question = _question(inbound, counting=counting)
        asker = Asker.of(principal)
        try:
            if counting:
                counted = await self._questions.count(question, asker)
                content: object = {
                    "by": question.counts,
                    "counts": [{question.counts: what, "queries": number} for what, number in counted.rows],
                    "dead_epochs": list(counted.dead),
                    "goes_on_from": counted.goes_on_from,
                }
            else:
                found = await self._questions.ask(question, asker)
                content = {
                    "queries": [self.view(line) for line in found.lines],
                    "entries": [entry.index for entry in found.entries],
                    "indexed": found.indexed,
                    "behind": found.behind,
                    "before": found.before,
                    "dead_epochs": list(found.dead),
                    "goes_on_from": found.goes_on_from,
                }
        except (IndexUnusable, LogDamaged, EntryUnreadable, SealBroken) as error:
            raise AuditUnavailable(
                "The log cannot be read; the operator runs `audit verify` and `audit rebuild-index`."
            ) from error
        return respond(200, orjson.dumps(content), "application/json")

    def view(self, line: Line) -> dict[str, object]:
        """Return a line for a program."""
        return {"entry": f"{self._origin}/{line.index}", **asdict(line)}


def _question(inbound: Inbound, *, counting: bool) -> Question:
    check_headers(inbound)
    said = parse_object(inbound.body)
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    if len(texts) < len(said) or not _NEEDED <= texts.keys() <= _MEMBERS or counting != bool(texts.get("counts")):
        raise BodyUnreadable(f"Send {', '.join(sorted(_NEEDED))} as JSON texts; and dob, before, order, or, to count, counts.")
    return Question(**texts)
