"""The documents that the terminals' door serves about itself, each made once for a policy."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from proxy.web import forms, openapi
from proxy.web.respond import unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.service import PolicySet

KEPT: Final = 64


class Document(NamedTuple):
    """A body with its strong validator (RFC 9110 section 8.8.3)."""

    body: bytes
    media_type: str
    etag: str

    def unchanged(self, if_none_match: str | None) -> bool:
        """Tell whether a client has it already."""
        return unchanged(self.etag, if_none_match)


class Documents:
    """Makes each document when it is first asked for; a policy's next version makes them anew."""

    def __init__(self, policies: Callable[[], PolicySet]) -> None:
        """Take the policy that rules."""
        self._policies = policies
        self._made: OrderedDict[tuple[str, str | None], Document] = OrderedDict()

    def purposes(self, role: str) -> Document:
        """Return the form of Query-Purpose for a role: up to a tenth of a second the first time, so ask in a thread."""
        return self._document(role)

    def openapi(self) -> Document:
        """Return the OpenAPI document, the same for everybody."""
        return self._document(None)

    def _document(self, role: str | None) -> Document:
        policies = self._policies()
        key = policies.version, role
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = _made(policies, role)
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
        return made


def _made(policies: PolicySet, role: str | None) -> Document:
    if role is None:
        body, media_type = orjson.dumps(openapi.document(policies)), openapi.JSON
    else:
        body, media_type = orjson.dumps(forms.form(policies, role)), forms.MEDIA_TYPE
    return Document(body=body, media_type=media_type, etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"')
