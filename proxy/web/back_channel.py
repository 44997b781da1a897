"""Where the identity provider says that somebody was signed out (OIDC Back-Channel Logout 1.0 section 2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from proxy.identity.logout import LogoutRefused
from proxy.inquiry.inquiry import MethodNotAllowed
from proxy.web.respond import respond

if TYPE_CHECKING:
    from aiohttp import web

    from proxy.identity.logout import BackChannel
    from proxy.inquiry.inquiry import Inbound

LOGOUT: Final = "/oidc/logout"
FORM: Final = "application/x-www-form-urlencoded"


async def sign_out(inbound: Inbound, back_channel: BackChannel) -> web.Response:
    """Take a form with one logout token.

    Raises:
        MethodNotAllowed, LogoutRefused, IdentityProviderUnavailable, DatabaseUnusable: nobody was signed out.
    """
    if inbound.method != "POST":
        raise MethodNotAllowed("Use POST here.", allow=["POST"])
    if (inbound.header("Content-Type") or "").partition(";")[0].strip().lower() != FORM:
        raise LogoutRefused(f"Send logout_token as {FORM}.")
    try:
        fields = parse_qsl(inbound.body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        raise LogoutRefused("The form cannot be read.") from None
    tokens = [value for name, value in fields if name == "logout_token"]
    if len(tokens) != 1:
        raise LogoutRefused("Send logout_token once.")
    await back_channel.take(tokens[0])
    return respond(200, b"", "text/plain")
