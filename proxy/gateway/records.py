"""The records server as the registry asks it: the way of a terminal's query, with the same client, receipt and reading.

A record that is not as its route declares is not read, here as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.disclosure.record import read
from proxy.disclosure.splice import Splice
from proxy.registry.candidates import Record, gives_homes
from proxy.registry.resolution import Answer
from proxy.upstream.reply import ReplyUnreadable, UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.audit.event import Receipt
    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.route import Route
    from proxy.upstream.client import Upstream
    from proxy.upstream.reply import Reply


class RecordsServer:
    """Implements ``resolution.Records``."""

    def __init__(self, upstream: Upstream) -> None:
        """Use an open client."""
        self._upstream = upstream

    @property
    def origin(self) -> str:
        """Return the destination in the log."""
        return self._upstream.origin

    async def ask(self, inquiry: Inquiry, receipt: Receipt) -> Answer:
        """Return the records that answer an inquiry.

        Raises:
            ReceiptMismatch: the receipt is not that of this inquiry's decision; nothing was sent.
            Overloaded, UpstreamUnavailable, UpstreamTimeout: the records server does not answer at all.
        """
        try:
            reply = await self._upstream.forward(inquiry, receipt)
            return _answer(inquiry, reply)
        except (UpstreamFailed, ReplyUnreadable) as refusal:
            return Answer(failed=refusal.slug())


def _answer(inquiry: Inquiry, reply: Reply) -> Answer:
    route = inquiry.route
    if reply.status == 404 or route.records is None:
        return Answer()
    records = []
    for count, record in enumerate(_records(route, reply), start=1):
        if count > route.most:
            return Answer(broad=True, crowded=gives_homes(route) and "street" in inquiry.criteria)
        if record is not None:
            records.append(record)
    return Answer(records=tuple(records))


def _records(route: Route, reply: Reply) -> Iterator[Record | None]:
    """Yield each record of a reply; None for one that is not as its route declares."""
    assert route.records is not None
    steps = (*route.records.before, *((None,) if route.records.many else ()), *route.records.after)
    declared = route.shape
    lives = gives_homes(route)
    for each in Splice(reply.body, path=steps, envelope=route.envelope).records():
        kinds: dict[str, list[str]] = {}
        if read(each.value, declared, kinds, set()):
            fields = {kind: tuple(values) for kind, values in kinds.items() if values}
            yield Record(route=route.id, fields=fields, lives=lives)
        else:
            yield None
