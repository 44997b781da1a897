"""The one table that speaks HTTP: every refusal's status, title, and what to do next (RFC 9457).

``type`` is ``/problems/<slug>``; the door itself serves that page. A test holds the table against every subclass of
``Refusal``, so a room cannot invent a refusal that nobody explains.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import orjson

from proxy.identity.passkeys import StepUpRequired
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODE: Final = re.compile("`([^`]*)`")
MEDIA_TYPE: Final = "application/problem+json"


class Problem(NamedTuple):
    """One problem type: what it means, and what the reader can do."""

    status: int
    title: str
    advice: str


PROBLEMS: Final[Mapping[str, Problem]] = {
    "credential-missing": Problem(
        401, "No credential", "Send `Authorization: Bearer <key or access token>`, or a client certificate."
    ),
    "credential-invalid": Problem(
        401,
        "Credential not valid",
        "The key, token or certificate is unknown, revoked or expired. Sign in again, or ask your administrator for a new one.",
    ),
    "authentication-insufficient": Problem(
        401,
        "Sign in again",
        "The sign-in was too long ago, or without a second factor. Sign in again at the identity provider, with both.",
    ),
    "sign-in-refused": Problem(401, "Not signed in", "Sign in again; if it stays, ask the identity desk."),
    "logout-refused": Problem(400, "Nobody was signed out", "Look at the operator's log; it says what of the token is wrong."),
    "identity-provider-unavailable": Problem(
        503,
        "The identity provider does not answer",
        "Nothing was released. Try again; keys go on working where they are allowed.",
    ),
    "sign-in-needed": Problem(401, "Signed out", "Sign in to go on; nothing was lost but what stood in a form."),
    "form-forged": Problem(
        403, "The form did not come from this console", "Open the page anew from the menu and do it again; nothing was done."
    ),
    "own-lookups": Problem(
        403,
        "Not about yourself",
        "You, or somebody close to you, are among those whom the question is about. Somebody else has to ask the log.",
    ),
    "purpose-missing": Problem(
        400, "No purpose", 'Send the header `Query-Purpose: code=C, case="26-004217", statement="why this lookup"`.'
    ),
    "purpose-malformed": Problem(
        400, "Purpose not readable", "Query-Purpose is an RFC 9651 dictionary; `position` is the byte where reading stopped."
    ),
    "purpose-unknown": Problem(400, "Purpose not known here", "Use a registered code that serves this kind of query."),
    "statement-uninformative": Problem(
        422,
        "The statement says nothing",
        "Say in a few words who or what it is about and what happened, as you would tell a judge. So for an emergency, too.",
    ),
    "leak-unclear": Problem(
        422,
        "What was published is not clear",
        "Say of each thing its kind, its whole value and when it was first public, with a time zone. Nothing was searched.",
    ),
    "case-missing": Problem(
        400, "No case", 'Add `case="…"` to Query-Purpose: the number of the incident, CAD event, case, warrant or docket.'
    ),
    "case-unknown": Problem(422, "No such case", "Check the number. A new case can take a moment to reach the case directory."),
    "case-closed": Problem(422, "The case is closed", "Use an open case, or have this one reopened."),
    "case-kind-mismatch": Problem(422, "Wrong kind of reference", "This purpose code needs another kind of reference."),
    "standing-missing": Problem(
        403,
        "The case is not yours",
        "You are neither assigned nor dispatched to it. Have yourself assigned, or use your own case.",
    ),
    "subject-not-on-case": Problem(
        403,
        "Not a party to the case",
        "Under this code only persons on the case may be asked about. Give name and date of birth, or have the person entered.",
    ),
    "route-unknown": Problem(
        404, "No such query", "No route says what this request means. See the list of routes you were given."
    ),
    "request-not-canonical": Problem(
        400, "The request can be read in two ways", "Send plain paths and each parameter once, percent-encoded where needed."
    ),
    "parameter-unknown": Problem(400, "Unknown parameter", "Send only the parameters that the route lists."),
    "parameter-invalid": Problem(400, "Not a value of this parameter", "The detail says what the parameter can be."),
    "parameter-duplicate": Problem(400, "Parameter given twice", "Send each parameter once."),
    "body-unreadable": Problem(400, "Body not readable", "Send one JSON object, in UTF-8, each key once."),
    "body-too-large": Problem(413, "Body too large", "Send less."),
    "media-type-unsupported": Problem(415, "Media type not supported", "Send `application/json`, not compressed."),
    "method-not-allowed": Problem(405, "Method not allowed", "The header Allow lists the methods of this path."),
    "too-broad": Problem(403, "Too broad", "Narrow the search: a full name with date of birth, a whole address, or a number."),
    "policy-denied": Problem(403, "Policy does not allow this", "If the record is needed for this case, ask the records desk."),
    "escalation-required": Problem(
        403, "A supervisor has to agree", "Poll `escalation.href`; when it is approved, send the same query again."
    ),
    "escalation-refused": Problem(403, "A supervisor refused", "The detail holds the reason. Speak to your supervisor."),
    "escalation-unknown": Problem(404, "No such escalation", "It does not exist, or is none of yours."),
    "escalation-moved": Problem(409, "Not possible any more", "The escalation has been decided, canceled or has expired."),
    "escalation-amended": Problem(
        409, "The statement was added to", "Look at the escalation again; approve it with `amendments` as it says then."
    ),
    "asked-enough": Problem(409, "Asked often enough", "Approve the escalation, or refuse it and say why."),
    "nothing-asked": Problem(
        409, "Nobody has asked for more", "Wait until a supervisor asks, or cancel and send the query with another statement."
    ),
    "delegation-invalid": Problem(422, "Nobody can stand in like this", "The detail says why. Nothing was handed on."),
    "delegation-unknown": Problem(404, "No such delegation", "It does not exist, is over, or is none of yours."),
    "approver-ineligible": Problem(403, "Not yours to decide", "Another person has to decide this escalation."),
    "reason-missing": Problem(422, "A decision needs its reason", 'Send {"reason": "…"}, eight characters or more.'),
    "break-glass-blocked": Problem(
        403,
        "No emergency is answered for you now",
        "`review` says which one has to be dealt with, and who can. Send the query without `exigent`: a supervisor can agree.",
    ),
    "reviews-unreadable": Problem(
        503, "Earlier emergencies cannot be looked at", "Send the query without `exigent`, or try again. Nothing was released."
    ),
    "finding-unknown": Problem(404, "No such finding", "It does not exist, or another person has to look at it."),
    "finding-closed": Problem(409, "Closed already", "Somebody has closed this finding."),
    "step-up-required": Problem(
        401,
        "Confirm it with your passkey",
        "Approve on the console, or ask a passkey with `challenge` and send its answer in the header `Step-Up`.",
    ),
    "step-up-failed": Problem(
        403, "Not confirmed", "The passkey's answer is not for this, was used, or has expired. Confirm again on the console."
    ),
    "step-up-too-many": Problem(429, "Too many confirmations open", "Wait for the time in Retry-After."),
    "passkey-missing": Problem(
        403,
        "You have no passkey",
        "Have the identity desk make you a code (`identity passkey invite`), then register a passkey on the console.",
    ),
    "passkey-refused": Problem(403, "Not with this passkey", "The detail says why. Ask the identity desk."),
    "duty-unknown": Problem(404, "No such notice or review", "It does not exist, or another person has to look at it."),
    "duty-done": Problem(409, "Done already", "Somebody has acknowledged or reviewed it."),
    "outcome-unknown": Problem(422, "No such outcome", "The detail says how this can end."),
    "locked": Problem(
        403,
        "Locked",
        "A supervisor or the oversight desk stopped this. Speak to your supervisor; another person than who locked lifts it.",
    ),
    "lock-ineligible": Problem(403, "Not yours to lock or lift", "Another person has to; the detail says why."),
    "lock-unknown": Problem(404, "No such lock", "It does not exist, or is none of yours."),
    "lock-over": Problem(409, "The lock has ended", "Somebody has lifted it, or its time has passed."),
    "lock-target-invalid": Problem(422, "Nothing that can be locked", "The detail says how it is named."),
    "lock-target-unknown": Problem(
        422, "Nothing of this name is known", "Nothing is stopped yet. Look at the spelling, or send it with `anyway`: true."
    ),
    "sought-unknown": Problem(422, "Nobody of this name is known", "Nothing was found, and nobody here knows whom you seek."),
    "locks-stale": Problem(
        503,
        "What is locked is not known",
        "Nothing was released. Try again after the time in Retry-After; if it stays, tell the operator: `/readyz` says why.",
    ),
    "grant-spent": Problem(
        403, "The approval has been used", "An approval answers once. Ask again if you need the record again."
    ),
    "grant-mismatch": Problem(
        403, "The approval does not fit", "Policy or the subjects have changed since. Send the query again to ask anew."
    ),
    "budget-spent": Problem(429, "Too many", "Wait for the time in Retry-After."),
    "upstream-failed": Problem(
        502, "The records server failed", "Nothing was released. Try again; if it stays, tell the operator."
    ),
    "reply-unreadable": Problem(
        502, "The reply could not be inspected", "Nothing was released. Tell the operator the instance."
    ),
    "upstream-unavailable": Problem(503, "The records server is not there", "Nothing was released. Try again."),
    "upstream-timeout": Problem(504, "The records server took too long", "Nothing was released. Try again."),
    "overloaded": Problem(503, "Too many queries at once", "Try again after the time in Retry-After."),
    "audit-unavailable": Problem(
        503, "The log is not available", "Nothing was released: no answer leaves unrecorded. Tell the operator."
    ),
    "case-directory-unavailable": Problem(
        503,
        "The case directory does not answer",
        "Nothing was released. Try again. Checks for officer safety go on, if code, case and statement are stated.",
    ),
    "not-ready": Problem(503, "Not ready", "Try again after the time in Retry-After."),
    "internal-error": Problem(500, "Something went wrong", "Nothing was released. Tell the operator the instance."),
    "bad-request": Problem(400, "Not HTTP as we read it", "Send a well-formed HTTP/1.1 request."),
    "request-timeout": Problem(408, "The request took too long to arrive", "Send it again."),
    "transfer-coding-unsupported": Problem(501, "Transfer coding not supported", "Send a plain or chunked body."),
    "version-unsupported": Problem(505, "HTTP version not supported", "Use HTTP/1.1."),
}


class FormForged(Refusal):
    """A form that this session's pages did not make, or that came from another site."""


class BadRequest(Refusal):
    """The bytes are not HTTP as RFC 9112 has it."""


class RequestTimeout(Refusal):
    """The body did not arrive in time."""


class TransferCodingUnsupported(Refusal):
    """A transfer coding other than chunked."""


class VersionUnsupported(Refusal):
    """Neither HTTP/1.0 nor HTTP/1.1."""


def render(refusal: Refusal, *, instance: str | None, status: int | None = None) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of a refusal."""
    slug = refusal.slug()
    problem = PROBLEMS[slug]
    status = status or problem.status
    extras = dict(refusal.extras)
    headers = {"Content-Type": MEDIA_TYPE}
    retry_after = extras.pop("retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    elif status == 503:
        headers["Retry-After"] = "5"
    allow = extras.pop("allow", None)
    if allow is not None:
        headers["Allow"] = ", ".join(allow) if isinstance(allow, (list, tuple, set, frozenset)) else str(allow)
    bearer = cast("Mapping[str, str]", extras.pop("bearer", {}))
    if status == 401:
        # RFC 6750 section 3: what is wrong with a token; RFC 9470: the credential is good, and more than it is wanted.
        more = {"error": "insufficient_user_authentication"} if slug == StepUpRequired.slug() else bearer
        told = {"realm": "showcause", **more}
        headers["WWW-Authenticate"] = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items())
    body: dict[str, object] = {
        "type": f"/problems/{slug}",
        "title": problem.title,
        "status": status,
        "detail": refusal.detail,
    }
    if instance is not None:
        body["instance"] = instance
    return status, headers, orjson.dumps(body | extras, default=str)


def page(slug: str) -> bytes | None:
    """Return the page of a problem type: what it means and what to do, or None when there is no such type."""
    problem = PROBLEMS.get(slug)
    if problem is None:
        return None
    advice = _CODE.sub(r"<code>\1</code>", html.escape(problem.advice))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(problem.title)}</title>"
        "<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;"
        "color-scheme:light dark}code{font-size:.95em}</style>"
        f"<h1>{html.escape(problem.title)}</h1><p><code>{slug}</code> · HTTP {problem.status}</p>"
        f"<p>{advice}</p>"
    ).encode()
