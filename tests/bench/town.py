"""What is asked for, and what Showcause must be told before it answers: replies, a credential, a case, a registry."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICIES: Final = Path(__file__).parents[2] / "policies"
CASE: Final = "26-004217"
_ADDED: Final = "_shape=array"
_SEARCH: Final = "/records/persons.json?surname={}&dob=1980-04-12&_shape=array&_size=101&_nocount=1"

TARGETS: Final[Mapping[str, str]] = {
    "1 KB": "/records/persons/100101.json?_shape=array",
    "20 KB": "/records/persons/100120.json?_shape=array",
    "1 record": _SEARCH.format("Onesuch"),
    "100 records": _SEARCH.format("Manysuch"),
}
"""What is asked of the upstream, and of whatever only passes it on."""

TERMINAL_TARGETS: Final[Mapping[str, str]] = {
    "1 KB": "/records/persons/100101",
    "20 KB": "/records/persons/100120",
    "1 record": "/records/persons?surname=Onesuch&dob=1980-04-12",
    "100 records": "/records/persons?surname=Manysuch&dob=1980-04-12",
}
"""What a terminal asks of Showcause for the same."""


def _person(number: int, surname: str, size: int) -> dict[str, Any]:
    person: dict[str, Any] = {
        "person_id": str(number),
        "given_name": "Lena",
        "middle_name": "Marie",
        "surname": surname,
        "suffix": None,
        "alias": "",
        "dob": "1980-04-12",
        "sex": "F",
        "race": "W",
        "ssn": f"900-{number % 90 + 10}-{number % 9000 + 1000}",
        "phone": f"+1555{number % 10_000_000:07}",
        "mobile": None,
        "email": f"lena.{number}@example.org",
        "street": f"{number % 900 + 1} Elm Street",
        "unit": None,
        "city": "Springfield",
        "state": "NY",
        "postal_code": "12345",
        "license": f"D{number:07}",
        "employer": "",
        "photo": f"photos/{number}.jpg",
    }
    person["employer"] = "x" * max(0, size - len(json.dumps([person])))
    return person


class Town:
    """The replies by case, and the headers that a query needs at Showcause's door."""

    def __init__(self) -> None:
        """Make the replies."""
        self.replies: Mapping[str, list[dict[str, Any]]] = {
            "1 KB": [_person(100101, "Small", 1024)],
            "20 KB": [_person(100120, "Large", 20480)],
            "1 record": [_person(100101, "Onesuch", 512)],
            "100 records": [_person(200000 + number, "Manysuch", 512) for number in range(100)],
        }
        self.credentials: dict[str, str] = {
            "Authorization": "Bearer none",
            "Query-Purpose": f'code=C, case="{CASE}", statement="stopped for no plates, driver has no licence on her"',
        }

    def write_replies(self, folder: Path) -> None:
        """Write the replies where the upstream looks for them."""
        places = ["records/persons/100101", "records/persons/100120", "search/Onesuch", "search/Manysuch"]
        for place, reply in zip(places, self.replies.values(), strict=True):
            path = folder / f"{place}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(reply))

    def write_configuration(self, folder: Path, *, upstream: int, terminals: int, ops: int) -> Path:
        """Write what ``serve`` needs, and return the configuration file; ``credentials`` then hold a key that is known."""
        folder.mkdir()
        shutil.copytree(POLICIES, folder / "policies")
        raise NotImplementedError(upstream, terminals, ops)
