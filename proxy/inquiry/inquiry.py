"""The normalized "what about whom": an inbound request, and what the route map makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.inquiry.route import Route

# The closed list of what a criterion or a record's field can say about a person, place or vehicle. Route map and
# registry speak only these words. `name` is a whole name in free text, `address` a whole address in free text;
# `work` and `school` are a place's name, its address, or both.
FIELD_KINDS: Final = frozenset(
    {
        "person_id", "name", "given_name", "middle_name", "surname", "suffix", "alias", "dob", "ssn", "phone", "email",
        "plate", "vin", "license", "address", "street", "unit", "city", "state", "postal_code", "case",
        "work", "school",
    },
)  # fmt: skip

# A record may hold `text` besides: free text that names people. Nobody asks by it.
TEXT: Final = "text"
RECORD_KINDS: Final = FIELD_KINDS | {TEXT}


class RouteUnknown(Refusal):
    """No route says what this request means."""


class MethodNotAllowed(Refusal):
    """The path has routes, but none for this method; ``allow`` lists those there are."""


class RequestNotCanonical(Refusal):
    """The request can be read in more than one way."""


class ParameterUnknown(Refusal):
    """The route does not know this parameter."""


class ParameterDuplicate(Refusal):
    """A parameter or a key of the body is there twice."""


class ParameterInvalid(Refusal):
    """A value is not one that its parameter can have."""


class TooBroad(Refusal):
    """The parameters given are not enough to look for one person, place or vehicle."""


class BodyUnreadable(Refusal):
    """The body is not the JSON object that the route expects."""


class BodyTooLarge(Refusal):
    """The body is over the limit."""


class MediaTypeUnsupported(Refusal):
    """The body is not identity-coded JSON in UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One HTTP request as it came. ``target`` is the raw request target, undecoded; ``headers`` keep case and order."""

    query_id: str
    source: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the one value of a header, or None.

        Raises:
            RequestNotCanonical: the header is there more than once.
        """
        length, wanted = len(name), name.lower()
        values = [value for key, value in self.headers if len(key) == length and key.lower() == wanted]
        if len(values) > 1:
            raise RequestNotCanonical(f"The header {name} is there {len(values)} times; send it once.")
        return values[0] if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """What is sent upstream: built from what was matched and from nothing else. ``target`` is percent-encoded, canonical."""

    method: str
    target: str
    body: bytes | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What is sought. ``criteria`` maps a field kind (FIELD_KINDS) to the values the request gave for it.

    ``partial`` is what else it gave, by parameter: prefixes, ranges and descriptions, by which nobody can be recognized. A
    ``broad`` inquiry rests on those; its ``action`` is the route's broad one.
    """

    query_id: str
    route: Route
    action: str
    criteria: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    partial: Mapping[str, str] = field(default_factory=dict)
    outbound: Outbound
    bytes_in: int = 0

    @property
    def broad(self) -> bool:
        """Tell whether this may mean many people, and does on purpose."""
        return self.route.broad is not None and self.action == self.route.broad.action

    @property
    def most(self) -> int:
        """Return how many records may answer."""
        broad = self.route.broad
        return broad.most if broad is not None and self.action == broad.action else self.route.most
