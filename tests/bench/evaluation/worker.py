"""Runs by itself in the evaluation's environment: ``python worker.py SYSTEM < fold.json > answers.json``.

``rapidfuzz`` is what a competent developer writes in an afternoon. ``logic-v2``, ``logic-v1`` and ``ofac`` are nomenklatura's
algorithms as they ship, with the threshold that they are run with in the field (0.70), on the ten best candidates by name and
whoever has the same date of birth or number; addresses alone are compared as addresses.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Fields = Mapping[str, str]
    Judge = Callable[[Fields], Iterable[str]]

NUMBERS: Final = ("ssn", "phone", "email", "plate", "vin", "license")
ADDRESS: Final = ("street", "unit", "city", "state", "postal_code")
CANDIDATES: Final = 10
THRESHOLD: Final = 0.70


def plain(text: str) -> str:
    """Return letters and digits in lower case."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def name_of(fields: Fields) -> str:
    """Return a whole name."""
    parts = (fields.get(part, "") for part in ("given_name", "surname"))
    return " ".join(part for part in parts if part).casefold() or fields.get("name", "").casefold()


def address_of(fields: Fields) -> str:
    """Return a whole address."""
    return " ".join(fields[part] for part in ADDRESS if fields.get(part)).casefold()


class Numbers:
    """Who has which number, exactly."""

    def __init__(self, enrolled: Mapping[str, Fields], kinds: Iterable[str]) -> None:
        """Index everybody."""
        self._kinds = tuple(kinds)
        self._known: dict[tuple[str, str], set[str]] = {}
        for key, fields in enrolled.items():
            for kind in self._kinds:
                if fields.get(kind):
                    self._known.setdefault((kind, plain(fields[kind])), set()).add(key)

    def find(self, fields: Fields) -> set[str]:
        """Return who has one of these."""
        found = (self._known.get((kind, plain(fields[kind])), set()) for kind in self._kinds if fields.get(kind))
        return set().union(*found)


def rapidfuzz_alone(enrolled: Mapping[str, Fields]) -> Judge:
    """Names of 90 or more by ``token_sort_ratio``, or of 85 with a date of birth of 80; addresses of 90; equal numbers."""
    from rapidfuzz import fuzz, process  # noqa: PLC0415

    numbers = Numbers(enrolled, NUMBERS)
    names = {key: name for key, fields in enrolled.items() if (name := name_of(fields))}
    addresses = {key: address for key, fields in enrolled.items() if (address := address_of(fields))}

    def alike(text: str, known: dict[str, str], cutoff: int) -> Iterable[tuple[str, float]]:
        found = process.extract(text, known, scorer=fuzz.token_sort_ratio, score_cutoff=cutoff, limit=None)
        return [(key, score) for _, score, key in found]

    def judge(fields: Fields) -> set[str]:
        met = numbers.find(fields)
        if name := name_of(fields):
            for key, score in alike(name, names, 85):
                births = fields.get("dob", ""), enrolled[key].get("dob", "")
                if (all(births) and fuzz.ratio(*births) >= 80) or (not all(births) and score >= 90):
                    met.add(key)
        if address := address_of(fields):
            met.update(key for key, _ in alike(address, addresses, 90))
        return met

    return judge


def nomenklatura(algorithm: str, enrolled: Mapping[str, Fields]) -> Judge:
    """An algorithm of nomenklatura as it ships."""
    from nomenklatura.matching import get_algorithm  # noqa: PLC0415
    from rapidfuzz import fuzz, process  # noqa: PLC0415

    scorer = get_algorithm(algorithm)
    assert scorer is not None
    config = scorer.default_config()
    people = {key: entity(key, fields) for key, fields in enrolled.items()}
    homes = {key: place(key, address) for key, fields in enrolled.items() if (address := address_of(fields))}
    names = {key: name for key, fields in enrolled.items() if (name := name_of(fields))}
    addresses = {key: address_of(enrolled[key]) for key in homes}
    same = Numbers(enrolled, (*NUMBERS, "dob"))
    ids = map("query-{}".format, count())  # what it works out of an entity it keeps by the entity's id

    def judge(fields: Fields) -> list[str]:
        name, address = name_of(fields), address_of(fields)
        candidates = same.find(fields)
        known = people if candidates or name or not address else homes
        text, texts = (name, names) if known is people else (address, addresses)
        if text:
            best = process.extract(text, texts, scorer=fuzz.token_sort_ratio, limit=CANDIDATES)
            candidates.update(key for _, _, key in best)
        asked = entity(next(ids), fields) if known is people else place(next(ids), address)
        return [key for key in candidates if scorer.compare(asked, known[key], config).score >= THRESHOLD]

    return judge


def entity(key: str, fields: Fields) -> Any:
    """Return somebody as followthemoney's Person."""
    from followthemoney import model  # noqa: PLC0415

    properties = {
        "firstName": "given_name", "middleName": "middle_name", "lastName": "surname", "birthDate": "dob", "phone": "phone",
        "email": "email",
    }  # fmt: skip
    made = model.make_entity("Person")
    made.id = key
    made.add("name", name_of(fields))
    made.add("address", address_of(fields))
    for name, kind in properties.items():
        made.add(name, fields.get(kind))
    made.add("idNumber", [fields[kind] for kind in ("ssn", "license") if fields.get(kind)])
    return made


def place(key: str, address: str) -> Any:
    """Return an address as followthemoney's Address."""
    from followthemoney import model  # noqa: PLC0415

    made = model.make_entity("Address")
    made.id = key
    made.add("full", address)
    return made


def main() -> None:
    """Answer one fold."""
    system, fold = sys.argv[1], json.load(sys.stdin)
    judge = rapidfuzz_alone(fold["enrolled"]) if system == "rapidfuzz" else nomenklatura(system, fold["enrolled"])
    judge({"given_name": "Warm", "surname": "Up", "dob": "1970-01-01"})
    answers = {}
    for road, queries in fold["queries"].items():
        recognized, took = [], []
        for fields in queries:
            begun = time.perf_counter()
            met = sorted(judge(fields))
            took.append((time.perf_counter() - begun) * 1e6)
            recognized.append(met)
        answers[road] = {"recognized": recognized, "microseconds": took}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
