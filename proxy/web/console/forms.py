"""Forms as they come back: bounded, each field once, and made by a page of the same session.

Against a forged form (CSRF) stand three things, each enough by itself: the cookie is not sent with another site's POST
(``SameSite=Lax``), the browser says where the request comes from (Fetch Metadata, else ``Origin``), and the form holds a
token that only this session's pages do.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from proxy.identity.session import form_token
from proxy.inquiry.inquiry import BodyUnreadable
from proxy.web.problems import FormForged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

FORM: Final = "application/x-www-form-urlencoded"
TOKEN: Final = "form_token"  # noqa: S105 -- the field's name
MOST_FIELDS: Final = 400


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one form, in their order."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """Return a field, without the spaces around it; empty when it is not there.

        Raises:
            BodyUnreadable: it is there twice.
        """
        values = self.fields.get(name, ())
        if len(values) > 1:
            raise BodyUnreadable("A field of the form is there twice.")
        # A browser sends a text area's lines with CR LF (HTML, 4.10.22.4); nobody typed the CR.
        return values[0].replace("\r\n", "\n").strip() if values else ""

    def several(self, name: str) -> Sequence[str]:
        """Return every value of a field, such as a list of boxes that were ticked."""
        return self.fields.get(name, ())


NO_FORM: Final = Form()


def read_form(content_type: str, body: bytes) -> Form:
    """Return the form of a POST's body.

    Raises:
        BodyUnreadable: it is no form, or not in UTF-8.
    """
    if content_type.partition(";")[0].strip().lower() != FORM:
        raise BodyUnreadable("This page takes a form.")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise BodyUnreadable("The form cannot be read.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def require_own_site(request: web.BaseRequest) -> None:
    """Return when the browser says that a request comes from a page of this very site.

    Raises:
        FormForged: it does not, or it says nothing.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    scheme = "https" if request.transport is not None and request.transport.get_extra_info("sslcontext") else "http"
    # "null" is what our own pages send, since they have no referrer (Fetch, 3.2): it counts only where the site is told.
    if origin not in {None, "null", f"{scheme}://{request.headers.get('Host', '')}"}:
        raise FormForged("The form came from another site. Nothing was done.")
    if site != "same-origin" and (site is not None or origin in {None, "null"}):
        raise FormForged("Your browser did not say that this form comes from the console. Nothing was done.")


def require_token(form: Form, cookie: str) -> None:
    """Return when a form was made by a page of this session.

    Raises:
        FormForged: it was not.
    """
    if not hmac.compare_digest(form.text(TOKEN).encode(), form_token(cookie).encode()):
        raise FormForged("The form is from before you signed in, or from elsewhere. Open the page anew; nothing was done.")
