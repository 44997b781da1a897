from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from tests.cli.conftest import Office, RecordsServer


def test_what_is_shipped_is_valid(office: Office, records_server: RecordsServer) -> None:
    """Exit 0, the policy's version, and no network."""
    code, out, err = office.call("check", "--config", str(office.config), "--json")

    assert (code, err) == (0, "")
    found = orjson.loads(out)
    assert found["ok"] is True
    assert found["policy"]
    assert records_server.journal == []


def test_mistakes_of_configuration_and_policies_are_told_together(office: Office) -> None:
    """Exit 1 and everything at once, each with its file."""
    office.write("http://127.0.0.1:1", logging="{level: infos}")
    routes = office.folder / "policies/routes.yaml"
    routes.write_text(routes.read_text("utf-8") + "\nroutez: 1\n", "utf-8")

    code, out, err = office.call("check", "--config", str(office.config))

    assert (code, out) == (1, "")
    assert f"{office.config}:7:18: " in err
    assert "unknown key 'routez'" in err
    assert err.rstrip().endswith("mistakes")


def test_programs_get_mistakes_as_objects(office: Office) -> None:
    """File, line, column, message and help."""
    office.write("http://127.0.0.1:1", loging="{}")

    code, out, _ = office.call("check", "--config", str(office.config), "--json")

    assert code == 1
    assert orjson.loads(out)["mistakes"] == [
        {
            "file": str(office.config),
            "line": 7,
            "column": 1,
            "message": "unknown key 'loging'",
            "help": "did you mean 'logging'?",
        }
    ]


def test_a_configuration_that_is_not_there_is_one_mistake(office: Office) -> None:
    """Exit 1, with its name."""
    code, _, err = office.call("check", "--config", str(office.folder / "none.yaml"))

    assert code == 1
    assert "none.yaml:1:1: No such file or directory" in err


def test_a_gate_that_nobody_can_open_is_told_before_it_holds_everything_back(office: Office) -> None:
    """A route waits for witnesses, and the configuration names none: the line of the route."""
    routes = office.folder / "policies/routes.yaml"
    text = routes.read_text("utf-8").replace(
        "    action: vehicle.read\n", "    action: vehicle.read\n    gate: local+witness\n"
    )
    routes.write_text(text, "utf-8")

    code, _, err = office.call("check", "--config", str(office.config))

    line = text[: text.index("gate: local+witness")].count("\n") + 1
    assert code == 1
    assert f"{routes}:{line}:11: no answer will ever pass this gate" in err


def test_a_wrong_policy_of_witnesses_is_told_with_its_line(office: Office) -> None:
    """File and line, and where a right one is shown."""
    (office.folder / "witnesses").write_text("# two offices\nquorum both\n")
    office.write("http://127.0.0.1:1", audit="{witnesses: witnesses}")

    code, _, err = office.call("check", "--config", str(office.config))

    assert code == 1
    assert f"{office.folder / 'witnesses'}:2:1: 'both' is no witness or group of a line above" in err
    assert "deploy/witness.md" in err
