"""What an investigator says was published, in words, before anything is looked for: kinds, values, times, and about whom."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from proxy.disclosure.marks import LEAST_TEXT
from proxy.inquiry.inquiry import FIELD_KINDS, RECORD_KINDS
from proxy.oversight.leak.published import MOST_ITEMS, USUAL
from proxy.refusal import Refusal
from proxy.registry.forms import reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.event import Json

PHOTO: Final = "photo"
ALIASES: Final[Mapping[str, str]] = {"home_address": "address", "mobile": "phone", "place": "address", "employer": "work"}
"""Words that people use for a kind; ``home_address`` is the class of fields that most policies have for it."""
MOST_VALUE: Final = 400
LONGEST_WITHIN: Final = timedelta(days=90)
MOST_PHOTO: Final = 8 * 1024 * 1024
WANTED: Final[Mapping[str, str]] = {
    "address": "An address has a house number: 12 Elm Street.",
    "street": "A street is searched with a house number: 12 Elm Street.",
    "dob": "A date of birth has a year, a month and a day: 1961-12-31.",
    "email": "An e-mail address has its host: somebody@example.org.",
    "license": "A license number has four characters or more.",
    "name": "A name has a given and a family name; for one of them alone there are given_name and surname.",
    "phone": "A telephone number has its area code: 555-010-0100.",
    "plate": "A plate has two characters or more.",
    "ssn": "A Social Security number has nine digits.",
    "vin": "A vehicle's number has 5 to 17 characters.",
}
"""What a value of a kind needs, where more than a text: a part of it would be found nowhere, and would clear everybody."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_AT: Final = re.compile(r" @ \d{4}-\S+\s*\Z")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")


class LeakUnclear(Refusal):
    """What was published is not said so that it could be looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that was published. ``spellings`` are what its value may be in a record; ``value`` is how it was published.

    ``about`` is the person id of whom it is about, or empty.
    """

    kind: str
    value: str
    at: datetime
    spellings: tuple[str, ...] = ()
    within: timedelta = timedelta()
    about: str = ""
    elsewhere: float = USUAL

    def told(self) -> dict[str, Json]:
        """Return its form in the sealed part of an entry."""
        return {
            "kind": self.kind,
            "value": self.value,
            "at": self.at.isoformat(),
            "within_hours": self.within.total_seconds() / 3600,
            "about": self.about,
            "elsewhere": self.elsewhere,
        }


def claim(  # noqa: PLR0917 -- the parts of one sentence
    kind: str, value: str, at: datetime, within: timedelta = timedelta(), about: str = "", elsewhere: float = USUAL
) -> Claim:
    """Return a claim, once it is clear.

    Raises:
        LeakUnclear: no kind, no value, an endless one or a part of one, a window or a chance that is none.
    """
    named = ALIASES.get(kind.strip().lower(), kind.strip().lower())
    if named not in FIELD_KINDS and not _NAME.match(named):
        raise LeakUnclear(
            f"Say what kind of thing was published: {', '.join(sorted(FIELD_KINDS))}, photo, or a class of fields."
        )
    text = " ".join(value.split())
    if not text or len(text) > MOST_VALUE:
        raise LeakUnclear(f"The value of a published {named} has 1 to {MOST_VALUE} characters.")
    if named == PHOTO:
        text = text.lower().removeprefix("sha256:")
        if not _DIGEST.match(text):
            raise LeakUnclear("A photo is given as a file, or as the 64 hexadecimal digits of its SHA-256.")
    elif not _whole(named, text):
        raise LeakUnclear(WANTED.get(named, f"There is nothing in this {named} that could be looked for."))
    elif named not in RECORD_KINDS and len(text) < LEAST_TEXT:
        raise LeakUnclear(f"A {named} is marked in the log where it has {LEAST_TEXT} characters or more.")
    if at.tzinfo is None:
        raise LeakUnclear("Say the time with its zone, as in 2026-11-20T09:00Z.")
    if not timedelta() <= within <= LONGEST_WITHIN:
        raise LeakUnclear(f"A thing may have been out for up to {LONGEST_WITHIN.days} days before it was noticed.")
    if not 0.01 <= elsewhere <= 0.99:
        raise LeakUnclear("How likely another source is lies between 0.01 and 0.99.")
    return Claim(
        kind=named,
        value=text,
        spellings=(text,),
        at=at.astimezone(UTC),
        within=within,
        about=about.strip(),
        elsewhere=elsewhere,
    )


def _whole(kind: str, text: str) -> bool:
    """Tell whether a value can be looked for; an address without a house's number (County Road 12) only as it is spelled."""
    return reads(kind, text) or (kind in {"address", "street"} and any(map(str.isdigit, text)))


def photo(content: bytes, digest: str, at: datetime, within: timedelta = timedelta(), about: str = "") -> Claim:
    """Return the claim of a picture that was published: its SHA-256, and its Base64, which is how a record may hold it.

    Raises:
        LeakUnclear: it is empty or larger than a record's picture is.
    """
    if not 0 < len(content) <= MOST_PHOTO:
        raise LeakUnclear(f"A photo has up to {MOST_PHOTO // (1024 * 1024)} MB.")
    plain = base64.b64encode(content).decode()
    known = claim(PHOTO, digest, at, within, about)
    spellings = (known.value, plain, f"data:image/jpeg;base64,{plain}", f"data:image/png;base64,{plain}")
    return Claim(kind=PHOTO, value=known.value, spellings=spellings, at=known.at, within=within, about=known.about)


def read_line(text: str, *, at: datetime | None, within: timedelta, about: str) -> Claim:
    """Return the claim that a line makes: ``phone=555 010 0100``, or with a time of its own ``… @ 2026-11-20T09:00Z``.

    Raises:
        LeakUnclear: it makes none.
    """
    kind, equals, rest = text.partition("=")
    value, _, moment = rest.rpartition(" @ ") if _AT.search(rest) else (rest, "", "")
    if not equals:
        raise LeakUnclear("Write what was published as kind=value, as in phone=555-010-0100.")
    when = read_moment(moment) if moment else at
    if when is None:
        raise LeakUnclear("Say when it was published.")
    return claim(kind, value, when, within, about)


def read_claims(
    lines: Iterable[Mapping[str, object]], *, at: datetime | None, within: timedelta, about: str
) -> Sequence[Claim]:
    """Return claims from objects: ``kind``, ``value``, and where they differ from the rest ``at``, ``within_hours``, ``about``.

    Raises:
        LeakUnclear: with the place of the first that is not clear.
    """
    claims: list[Claim] = []
    for number, line in enumerate(lines, start=1):
        try:
            claims.append(_read(line, at, within, about))
        except LeakUnclear as unclear:
            raise LeakUnclear(f"Item {number}: {unclear.detail}") from None
    return bounded(claims)


def bounded(claims: Sequence[Claim]) -> Sequence[Claim]:
    """Return claims that are neither none nor too many.

    Raises:
        LeakUnclear: they are.
    """
    if not 0 < len(claims) <= MOST_ITEMS:
        raise LeakUnclear(f"Say 1 to {MOST_ITEMS} things that were published.")
    return claims


def _read(line: Mapping[str, object], at: datetime | None, within: timedelta, about: str) -> Claim:
    match line:
        case {"kind": str(kind), "value": str(value), **more} if more.keys() <= {"at", "within_hours", "about", "elsewhere"}:
            hours, chance = number_of(more.get("within_hours")), number_of(more.get("elsewhere", USUAL))
            whom = more.get("about", about)
            moment = read_moment(str(more["at"])) if "at" in more else at
            if moment is None:
                raise LeakUnclear("say when it was published, with at")
            if "within_hours" in more:
                within = span_of(hours)
            if not isinstance(whom, str) or chance is None:
                raise LeakUnclear("about is a person id, elsewhere a number")
            return claim(kind, value, moment, within, whom, chance)
        case _:
            raise LeakUnclear('write {"kind": …, "value": …}, and at, within_hours, about, elsewhere where they differ')


def number_of(value: object) -> float | None:
    """Return a JSON number, or None; it may come as text of another type than a JSON text's (``inquiry.body``)."""
    if type(value) in {int, float}:
        return float(str(value))
    if isinstance(value, str) and type(value) is not str:
        return float(value)
    return None


def span_of(hours: float | None) -> timedelta:
    """Return how much earlier a thing may have been out.

    Raises:
        LeakUnclear: that is no number of hours, or too many.
    """
    if hours is None or not 0 <= hours <= LONGEST_WITHIN / timedelta(hours=1):
        raise LeakUnclear(f"within_hours is a number of hours, up to {LONGEST_WITHIN.days} days of them.")
    return timedelta(hours=hours)


def read_moment(text: str) -> datetime:
    """Return a moment that was written with its zone.

    Raises:
        LeakUnclear: it was not.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 -- without a zone, so it is refused
    if moment.tzinfo is None:
        raise LeakUnclear("Say the time with its zone, as in 2026-11-20T09:00Z.")
    return moment.astimezone(UTC)
