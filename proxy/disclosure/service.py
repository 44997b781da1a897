"""What may leave of a reply: inspected record by record, without keeping other queries waiting."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.disclosure.disclosure import Disclosure
from proxy.disclosure.inspection import Inspection
from proxy.disclosure.left import Left
from proxy.policy.decision import Outcome
from proxy.registry.forms import all_of, form
from proxy.upstream.reply import ReplyUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.disclosure.judgement import Judge, Judgement
    from proxy.disclosure.marks import Marker
    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.route import Route
    from proxy.policy.fields import FieldClass
    from proxy.upstream.reply import Reply

TURN_RECORDS: Final = 25
TURN_SECONDS: Final = 0.001
"""Others get their turn after so many records, or after this time, whichever comes first."""
OPAQUE: Final = frozenset({"opaque"})
"""Stands among the field classes disclosed for whatever an uninspected reply holds."""
PICTURE: Final = "photo"
"""The kind under which an uninspected reply's SHA-256 is marked, so that a picture that was published is found by its file."""


async def disclose(
    reply: Reply, inquiry: Inquiry, judge: Judge, fields: Mapping[str, FieldClass], marking: Marker
) -> Disclosure:
    """Inspect a reply and return what may leave of it; ``fields`` is fields.yaml, ``marking`` makes the log's marks.

    No record, no record left, and no such record (404) are the same bytes: the route's literal answer.

    Raises:
        ReplyUnreadable: the reply is not what its route says, or is opaque and policy does not let it out uninspected.
        TooBroad: there are more records than the route lets out at once.
    """
    route = inquiry.route
    if reply.status == 404:
        return _absent(route)
    if reply.status != 200 or reply.media_type not in route.media_types:
        raise ReplyUnreadable("The records server's reply is of a kind that this route does not expect.")
    if route.opaque:
        return _opaque(reply, inquiry, judge, marking)
    inspection = Inspection(reply.body, inquiry, judge, fields, marking)
    now = asyncio.get_running_loop().time
    began, count = now(), 0
    for _ in inspection.steps():
        count += 1
        if count == TURN_RECORDS or now() - began > TURN_SECONDS:
            await asyncio.sleep(0)
            began, count = now(), 0
    return inspection.disclosure()


def _absent(route: Route) -> Disclosure:
    return Disclosure(status=route.absent.status, media_type=route.absent.media_type, body=route.absent.body)


def _opaque(reply: Reply, inquiry: Inquiry, judge: Judge, marking: Marker) -> Disclosure:
    """Let out what cannot be inspected only when policy permits it outright for whom the inquiry is about.

    Raises:
        ReplyUnreadable: policy asks for a mask, which cannot be met.
    """
    judgement = judge(inquiry.criteria)
    outcome, route = judgement.ruling.outcome, inquiry.route
    if outcome is Outcome.MASK:
        raise ReplyUnreadable("Parts of this reply would have to be masked, and its kind cannot be. Nothing was released.")
    if outcome is not Outcome.PERMIT:
        return replace(
            _absent(route),
            withheld=1,
            judgements=(judgement,),
            others=tuple(all_of(inquiry.criteria)),
            left=(_whole(inquiry, judgement, None),),
        )
    return Disclosure(
        status=200,
        media_type=reply.media_type,
        body=reply.body,
        records=1,
        marked=judgement.ruling.marked,
        disclosed=OPAQUE,
        judgements=(judgement,),
        subjects=tuple(inquiry.criteria.get("person_id", ())),
        left=(_whole(inquiry, judgement, marking(PICTURE, hashlib.sha256(reply.body).hexdigest())),),
    )


def _whole(inquiry: Inquiry, judgement: Judgement, mark: str | None) -> Left:
    """Return what the log says of a reply that is not looked into: by which mark it is found again, or that it was not seen."""
    return Left(
        person=tuple(form("person_id", value) for value in inquiry.criteria.get("person_id", ())),
        subject=tuple(each.entry for each in judgement.recognition.protections),
        seen={} if mark is None else dict.fromkeys(OPAQUE, mark),
        withheld=mark is None,
    )
