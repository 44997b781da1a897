"""A person's own passkeys; and the page that asks for one, whichever form it was that has to be confirmed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.escalation.lifecycle import ReasonMissing
from proxy.web.console.forms import TOKEN
from proxy.web.console.visit import STEP_UP, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiohttp import web

    from proxy.identity.passkeys import StepUpRequired
    from proxy.identity.registration import Registration
    from proxy.web.console.forms import Form
    from proxy.web.console.visit import Visit

MIN_REASON: Final = 8
MAX_REASON: Final = 200


class PasskeyRoom:
    """Listing, registering and revoking one's own."""

    tab = None

    def __init__(self, registration: Registration) -> None:
        """Take the room that registers."""
        self._registration = registration

    def pages(self) -> Iterable[Page]:
        """Return the list, and what can be done."""
        yield Page("GET", "/passkeys", self._list)
        yield Page("POST", "/passkeys/begin", self._begin)
        yield Page("POST", "/passkeys/finish", self._finish)
        yield Page("POST", "/passkeys/{id}/revoke", self._revoke)

    async def _list(self, visit: Visit) -> web.StreamResponse:
        return visit.show("passkeys.html", passkeys=await self._registration.mine(visit.principal))

    async def _begin(self, visit: Visit) -> web.StreamResponse:
        """Answer a POST with a page, for once: what it holds is good for this one time."""
        options = await self._registration.begin(visit.principal, code=visit.form.text("code") or None, assertion=visit.step_up)
        return visit.show("passkey_new.html", options=orjson.dumps(options).decode())

    async def _finish(self, visit: Visit) -> web.StreamResponse:
        await self._registration.finish(visit.principal, visit.form.text("answer"))
        return visit.go("/passkeys", said="passkey-registered")

    async def _revoke(self, visit: Visit) -> web.StreamResponse:
        reason = visit.form.text("reason")
        if not MIN_REASON <= len(reason) <= MAX_REASON:
            raise ReasonMissing(f"Say why, in {MIN_REASON} to {MAX_REASON} characters.")
        await self._registration.revoke(visit.principal, visit.names["id"], reason=reason, assertion=visit.step_up)
        return visit.go("/passkeys", said="passkey-revoked")


def confirmation(action: str, form: Form, required: StepUpRequired) -> Mapping[str, Any]:
    """Return what the page ``step_up.html`` shows: the form that was sent, to be sent again with the passkey's answer."""
    options: Any = required.extras["challenge"]
    fields = [(name, value) for name, values in form.fields.items() if name not in {TOKEN, STEP_UP} for value in values]
    return {
        "action": action,
        "fields": fields,
        "options": orjson.dumps(options).decode(),
        "minutes": max(1, round(options["timeout"] / 60_000)),
    }
