from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from proxy.oversight.notification_file import load_notifying
from proxy.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.deploy.conftest import Run

LOCKS = ("requirements.lock", "requirements-test.lock")
UNIT = "showcause.service"
SWEEP = "showcause-sweep.service"
WITNESS = "showcause-witness.service"
TIMER = "showcause-sweep.timer"


@pytest.fixture
def installed_units(deploy: Path, tmp_path: Path) -> Path:
    """The folder of the units, with an interpreter that is there."""
    for name in (UNIT, SWEEP, TIMER, WITNESS):
        text = (deploy / name).read_text("utf-8").replace("/opt/showcause/.venv/bin/python", sys.executable)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", [UNIT, SWEEP, TIMER, WITNESS])
def test_systemd_finds_nothing_wrong_with_the_unit(installed_units: Path, tool: Run, name: str) -> None:
    """Every directive is known and takes its value."""
    done = tool("systemd-analyze", "verify", "--man=no", installed_units / name)

    assert done.returncode == 0, done.stderr
    assert name not in done.stderr


@pytest.mark.parametrize("name", [UNIT, SWEEP, WITNESS])
def test_the_unit_is_exposed_at_most_two_of_ten(deploy: Path, tool: Run, name: str) -> None:
    """systemd-analyze scores the sandbox; its threshold counts tenths."""
    done = tool("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", deploy / name)

    assert done.returncode == 0, done.stdout[-300:]


def test_the_sweep_has_the_server_s_sandbox(deploy: Path) -> None:
    """What one of the two units may not do, the other may not either."""
    hardened = re.compile(
        r"^(?:No|Protect|Private|Restrict|Lock|Memory|System|Capability|Ambient|Device|IPAddress|Keyring|Remove|LimitCORE|UMask)"
        r"\w*=.*$",
        re.MULTILINE,
    )
    server, sweep = (set(hardened.findall((deploy / name).read_text("utf-8"))) for name in (UNIT, SWEEP))

    assert len(server) > 30
    assert sweep == server


def test_the_sweep_ends_before_it_is_killed(deploy: Path) -> None:
    """Its own bound is inside the service manager's, and finding something new is no failure."""
    text = (deploy / SWEEP).read_text("utf-8")
    minutes = int(re.findall(r"--minutes (\d+)$", text, re.MULTILINE)[0])
    hours = int(re.findall(r"^TimeoutStartSec=(\d+)h$", text, re.MULTILINE)[0])

    assert minutes < hours * 60
    assert "SuccessExitStatus=1\n" in text


def test_the_unit_gives_a_drain_its_time(deploy: Path) -> None:
    """The service manager kills no query that the proxy would still have answered."""
    waits = int(re.findall(r"^TimeoutStopSec=(\d+)$", (deploy / UNIT).read_text("utf-8"), re.MULTILINE)[0])

    assert waits > Settings.model_fields["limits"].default.drain_seconds


def test_hadolint_has_no_complaint(deploy: Path, tool: Run) -> None:
    """Not one, and none is ignored."""
    done = tool("hadolint", "--no-color", deploy / "Containerfile")

    assert done.returncode == 0, done.stdout
    assert "hadolint ignore" not in (deploy / "Containerfile").read_text("utf-8")


def test_the_container_runs_as_nobody_from_hashes(deploy: Path, root: Path) -> None:
    """Not root, a hashed lock, and every path that it copies is there and not ignored."""
    text = (deploy / "Containerfile").read_text("utf-8")
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE)
    kept = [
        line[1:] for line in (deploy / "Containerfile.dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    ]

    assert re.findall(r"^USER (\S+)$", text, re.MULTILINE)[-1] not in {"root", "0", "0:0"}
    assert "--require-hashes -r deploy/requirements.lock" in text
    assert copied
    assert all((root / path).exists() for path in copied)
    assert sorted(copied) == sorted(kept)


def test_nginx_accepts_the_example(deploy: Path, tool: Run, tmp_path: Path) -> None:
    """Checked by nginx itself, on ports that anybody may open."""
    text = (deploy / "nginx/showcause.conf").read_text("utf-8")
    file = tmp_path / "nginx.conf"
    file.write_text(
        text.replace("listen 443", "listen 127.0.0.1:18443").replace("listen [::]:443", "listen 127.0.0.1:18444")
        .replace("/run/nginx-showcause.pid", str(tmp_path / "pid")),
        "utf-8",
    )  # fmt: skip
    done = tool("nginx", "-t", "-e", "stderr", "-c", file)

    assert done.returncode == 0, done.stderr


def test_nginx_carries_no_identity(deploy: Path) -> None:
    """The example passes TLS through: no http block, no certificate of ours, no header about a client."""
    text = re.sub(r"#.*", "", (deploy / "nginx/showcause.conf").read_text("utf-8"))

    assert "stream {" in text
    for word in ("http {", "proxy_set_header", "ssl_certificate", "ssl_client", "location"):
        assert word not in text


def test_nginx_passes_mutual_tls_through(deploy: Path, tool: Run, tmp_path: Path) -> None:
    """A client certificate reaches the door behind a running nginx, and the server name chooses the door."""
    script = deploy.parent / "tests/deploy/passthrough.py"
    command = [sys.executable, str(script), _nginx(tool), str(deploy / "nginx/showcause.conf"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout) == {
        "terminals.example.gov": {"door": "terminals", "client": "spiffe://example.gov/terminal/7"},
        "console.showcause.example.gov": {"door": "console", "client": "spiffe://example.gov/terminal/7"},
    }


def _nginx(tool: Run) -> str:
    tool("nginx", "-v")
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"


def test_the_example_configuration_is_valid_and_names_every_setting(deploy: Path) -> None:
    """Nobody has to read the source to learn what can be set."""
    load_settings(deploy / "showcause.example.yaml", {})
    text = (deploy / "showcause.example.yaml").read_text("utf-8")

    missing = [name for name in _names(Settings) if not re.search(rf"^[\s#]*{name}:", text, re.MULTILINE)]
    assert missing == ["unsafe_plaintext"] * missing.count("unsafe_plaintext")


def test_the_example_of_notifications_is_valid(deploy: Path) -> None:
    """Who begins with it has channels and chains that fit together."""
    assert set(load_notifying(deploy / "notifications.example.yaml").chains) == {"supervisor", "oversight"}


def test_what_the_example_comments_out_is_the_default(deploy: Path, tmp_path: Path) -> None:
    """The numbers in the comments are true."""
    text = (deploy / "showcause.example.yaml").read_text("utf-8")
    said = re.sub(
        r"^(\s*)# (\w+: (?:[\d.]+|info|json|false))\b", r"\1\2", text, flags=re.MULTILINE,
    ).replace("  unsafe_plaintext: false", "  # unsafe_plaintext")  # fmt: skip
    assert said != text
    file = tmp_path / "all.yaml"
    file.write_text(said, "utf-8")
    shutil.copy(deploy / "showcause.example.yaml", tmp_path / "showcause.yaml")

    assert load_settings(file, {}) == load_settings(tmp_path / "showcause.yaml", {})


def test_the_example_of_an_identity_provider_is_valid_and_says_the_defaults(deploy: Path, tmp_path: Path) -> None:
    """Who takes the hash signs away has a section that is right, and what needs no value has its default."""
    text = (deploy / "showcause.example.yaml").read_text("utf-8")
    begun = text.index("# oidc:")
    block = text[begun : text.index("\n\n", begun)]
    file = tmp_path / "showcause.yaml"
    file.write_text(text.replace(block, re.sub(r"^# ", "", block, flags=re.MULTILINE)), "utf-8")

    found = load_settings(file, {}).oidc

    assert found is not None
    needed = {"issuer", "client_id", "client_secret", "audience", "redirect", "agencies", "roles"}
    for name, each in type(found).model_fields.items():
        assert name in needed or getattr(found, name) == each.default


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_hashes_and_no_address(deploy: Path, name: str) -> None:
    """It installs the same files behind any mirror."""
    text = (deploy / name).read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert "://" not in text
    assert "--index-url" not in text
    assert len(pinned) == len(entries)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_locks_hold_every_dependency_and_agree(root: Path, deploy: Path) -> None:
    """What is tested is what runs, and pyproject.toml asks for nothing that is not locked."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    run, test = ({pin[0]: pin[1] for pin in _pins((deploy / name).read_text("utf-8"))} for name in LOCKS)
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["demo"]]

    assert run.items() <= test.items()
    assert {_requirement(line) for line in wanted} <= run.keys()
    assert {_requirement(line) for line in project["dependency-groups"]["test"]} <= test.keys()


def test_the_one_ci_script_runs_the_readme_s_test_command(root: Path) -> None:
    """It takes the command from the README instead of repeating it."""
    script = root / ".ci/run"
    text = script.read_text("utf-8")
    extract = re.findall(r"^command=\"\$\((awk .*)\)\"$", text, re.MULTILINE)[0]

    found = subprocess.run(["bash", "-c", extract], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    assert script.stat().st_mode & stat.S_IXUSR
    assert found.startswith("python3 -m venv .venv && ")
    assert found.endswith(".venv/bin/python -m pytest")
    assert "--require-hashes -r deploy/requirements-test.lock" in found
    assert "pytest" not in text.replace("# ", "")


def test_shell_accepts_the_ci_script(root: Path, tool: Run) -> None:
    """It parses; what it does is seen in CI."""
    assert tool("bash", "-n", root / ".ci/run").returncode == 0


def test_yaml_in_deploy_is_read_the_same_by_everybody(deploy: Path) -> None:
    """No duplicate keys, which readers resolve differently."""
    files = [*deploy.rglob("*.yml"), *deploy.rglob("*.yaml")]

    assert files
    for file in files:
        assert isinstance(YAML(typ="safe", pure=True).load(file), dict)


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _names(part)


def _pins(text: str) -> list[Any]:
    return re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, re.MULTILINE)


def _requirement(line: str) -> str:
    return re.split(r"[\[<>=!~; ]", line)[0].lower().replace("_", "-").replace(".", "-")
