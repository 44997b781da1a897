"""What is asked for, and what Showcause must be told before it answers: replies, a credential, a case, a registry."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from proxy.audit.keys import create_key
from proxy.tlog.keys import create_signing_key
from tests.bench.processes import StartFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONFIGURATION: Final = """
origin: bench.example/audit
data: data
policies: policies
keys: {{checkpoint: keys/checkpoint, index: keys/index, body: keys/body, registry: keys/registry}}
upstream: {{url: "http://127.0.0.1:{upstream}"}}
doors:
  terminals: {{port: {terminals}}}
  console: {{port: 0}}
  ops: {{port: {ops}}}
logging: {{level: info}}
"""
_BUDGETS: Final = "per_hour: {queries: 1000000, fruitless: 1000000, records: 1000000, neighborhood: 1000000}\nbroad_counts: 1\n"
"""One officer asks here for a county."""
POLICIES: Final = Path(__file__).parents[2] / "policies"
CASE: Final = "26-004217"
PERSON: Final = "badge-4711"
AGENCY: Final = "NY0303000"
OFFICERS: Final = 300
ENROLLED: Final = 500
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
        "ssn": f"219-{number % 90 + 10}-{number % 9000 + 1000}",
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
    person["photo"] += "x" * max(0, size - len(json.dumps([person])))  # a name so long would not be read, and so not be judged
    return person


def configure(folder: Path, *, upstream: int = 1, terminals: int = 0, ops: int = 0) -> Path:
    """Make a folder with keys, policies and a configuration file, and return the file."""
    folder.mkdir()
    shutil.copytree(POLICIES, folder / "policies")
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    create_signing_key(keys / "checkpoint")
    for name in ("index", "body", "registry"):
        create_key(keys / name)
    configuration = folder / "showcause.yaml"
    configuration.write_text(_CONFIGURATION.format(upstream=upstream, terminals=terminals, ops=ops))
    return configuration


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
        configuration = configure(folder, upstream=upstream, terminals=terminals, ops=ops)
        (folder / "policies/budgets.yaml").write_text(_BUDGETS)
        self._fill(folder, configuration)
        return configuration

    def _fill(self, folder: Path, configuration: Path) -> None:
        """Enroll the officer who asks, the case, and a registry and a directory of the size that a county has."""
        files: Mapping[str, list[Mapping[str, object]]] = {
            "cases": [_case()],
            "personnel": [_officer(number) for number in range(OFFICERS)],
            "registry": [_protected(number) for number in range(ENROLLED)],
        }
        for group, rows in files.items():
            path = folder / f"{group}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            command(configuration, group, "import", str(path))
        who = ("--person", PERSON, "--agency", AGENCY, "--role", "patrol", "--terminal", "car-12", "--unit", "3A12")
        key = json.loads(command(configuration, "identity", "add", *who, "--json"))["key"]
        self.credentials["Authorization"] = f"Bearer {key}"


def _case() -> dict[str, object]:
    opened = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
    return {"number": CASE, "kind": "incident", "agency": AGENCY, "opened_at": opened, "assigned": [PERSON]}


def _officer(number: int) -> dict[str, object]:
    return {
        "personnel": PERSON if not number else f"badge-{5000 + number}",
        "agency": AGENCY,
        "given_name": "Officer",
        "surname": f"Bench{_letters(number)}",
        "dob": "1975-01-01",
        "street": f"{number + 1} Station Road",
        "city": "Springfield",
        "state": "NY",
        "phone": f"+1212555{number:04}",
    }


def _protected(number: int) -> dict[str, object]:
    return {
        "person_id": str(900_000 + number),
        "given_name": "Protected",
        "surname": f"Person{_letters(number)}",
        "dob": "1960-01-01",
        "ssn": f"518-{number % 90 + 10}-{number + 1000:04}",
        "street": f"{number + 1} Quiet Lane",
        "city": "Springfield",
        "state": "NY",
        "phone": f"+1646555{number:04}",
        "category": "judicial",
        "basis": "bench",
    }


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def command(configuration: Path, *arguments: str, timeout: float = 120) -> str:
    """Run one of Showcause's commands, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "proxy", *arguments, "--config", str(configuration)],
        cwd=POLICIES.parent, capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip
    if done.returncode:
        raise StartFailed(f"showcause {arguments[0]} {arguments[1]}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout
