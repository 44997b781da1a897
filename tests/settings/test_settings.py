from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.document import DocumentInvalid
from proxy.settings import is_loopback, load_settings

if TYPE_CHECKING:
    from tests.settings.conftest import Configuration

TLS = "tls: {certificate: c.pem, key: k.pem}"


def test_a_minimal_file_has_the_documented_defaults(configuration: Configuration) -> None:
    """What is not said is bounded."""
    found = configuration.load()

    assert (found.upstream.connect_seconds, found.upstream.reply_seconds) == (2, 10)
    assert (found.upstream.connections, found.upstream.queue, found.upstream.max_bytes) == (64, 256, 8 << 20)
    doors = found.doors
    assert [(door.host, door.port) for door in (doors.terminals, doors.console, doors.ops)] == [
        ("127.0.0.1", 8440),
        ("127.0.0.1", 8441),
        ("127.0.0.1", 9440),
    ]
    assert (found.escalations.expires_seconds, found.escalations.grant_seconds, found.escalations.wait_seconds_max) == (
        900,
        600,
        30,
    )
    assert (found.limits.body_bytes, found.limits.connections, found.limits.drain_seconds) == (65536, 1024, 20)
    assert (found.presence_seconds, found.root_seconds) == (60, 300)
    assert (found.logging.level, found.logging.format) == ("info", "json")


def test_paths_are_relative_to_the_file_whatever_the_working_directory(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file means the same from wherever the program is started; absolute paths stay."""
    configuration.load()
    monkeypatch.chdir(configuration.folder.parent)

    found = load_settings(Path(os.path.relpath(configuration.path)), {"SHOWCAUSE_DOORS__OPS__TOKEN": "keys/token"})

    assert found.data == configuration.folder / "data"
    assert found.keys.index == configuration.folder / "keys/index"
    assert found.keys.registry == Path("/etc/keys/registry")
    assert found.doors.ops.token == configuration.folder / "keys/token"
    assert found.store == configuration.folder / "data/store.sqlite3"
    assert found.log == configuration.folder / "data/log"


def test_settings_are_frozen(configuration: Configuration) -> None:
    """Nobody changes a bound while queries are under way."""
    found = configuration.load()

    with pytest.raises(pydantic.ValidationError):
        found.limits.body_bytes = 1 << 40


def test_the_environment_overrides_single_values(configuration: Configuration) -> None:
    """Two underscores go a level down; numbers, words, paths and sections that the file does not have."""
    found = configuration.load(
        "doors:\n  terminals:\n",
        SHOWCAUSE_UPSTREAM__URL="https://records.example.gov",
        SHOWCAUSE_UPSTREAM__CONNECTIONS="8",
        SHOWCAUSE_DOORS__TERMINALS__PORT="0",
        SHOWCAUSE_DOORS__CONSOLE__TLS__CERTIFICATE="c.pem",
        SHOWCAUSE_DOORS__CONSOLE__TLS__KEY="k.pem",
        SHOWCAUSE_LOGGING__LEVEL="debug",
        SHOWCAUSE_PRESENCE_SECONDS="1.5",
        SHOWCAUSE_CONFIG="elsewhere.yaml",
        SHOWCAUSE_KEY="my.key",
        OTHER="x",
    )

    assert found.upstream.url == "https://records.example.gov"
    assert found.upstream.connections == 8
    assert found.doors.terminals.port == 0
    assert found.doors.console.tls is not None
    assert found.doors.console.tls.certificate == configuration.folder / "c.pem"
    assert found.logging.level == "debug"
    assert found.presence_seconds == 1.5


def test_an_empty_variable_is_a_null(configuration: Configuration) -> None:
    """An override can take something away."""
    found = configuration.load("doors: {ops: {token: t}}\n", SHOWCAUSE_DOORS__OPS__TOKEN="")

    assert found.doors.ops.token is None


def test_a_section_of_comments_alone_takes_its_defaults(configuration: Configuration) -> None:
    """A file with every default commented out is a good file."""
    found = configuration.load("doors:\n  ops:\n  # port: 1\nlimits:\n  # body_bytes: 1\n")

    assert found.doors.ops.port == 9440
    assert found.limits.body_bytes == 65536


@pytest.mark.parametrize(
    ("more", "place", "says", "helps"),
    [
        ("loging: {level: info}\n", (7, 1), "unknown key 'loging'", "did you mean 'logging'?"),
        ("logging: {level: infos}\n", (7, 18), "'info'", "did you mean 'info'?"),
        ("limits: {body_bytes: 10}\n", (7, 22), "greater than or equal to 1024", None),
        ("limits: {connections: true}\n", (7, 23), "must be a number", None),
        ("limits: {drain_seconds: .inf}\n", (7, 25), "less than or equal to 86400", None),
        ("limits: {drain_seconds: .nan}\n", (7, 25), "", None),
        ("presence_seconds: -1\n", (7, 19), "greater than 0", None),
        ("presence_seconds: 22:30\n", (7, 19), "valid number", None),
        ("escalations: {wait_seconds_max: 3600}\n", (7, 33), "less than or equal to 300", None),
        ("audit: {gate: local+pg}\n", (7, 15), "this version does not keep", None),
        ("audit: {gate: local+witness}\n", (7, 15), "needs 'witnesses'", None),
        ("audit: {gate: none}\n", (7, 15), "must be local or local+witness", None),
        ("audit: {unwitnessed: ignore}\n", (7, 22), "'refuse' or 'release'", None),
        ("audit: {heartbeat_seconds: 0}\n", (7, 28), "greater than or equal to 1", None),
        ("step_up: {mode: webauth}\n", (7, 17), "'webauthn'", None),
        ("step_up: {rp_id: gov, origins: ['https://x.example']}\n", (7, 32), "not on gov", None),
        ("step_up: {rp_id: a.gov, origins: ['http://a.gov']}\n", (7, 34), "must be https", None),
        ("step_up: {rp_id: 'https://a.gov'}\n", (7, 18), "a domain in small letters", None),
        ("step_up: {origins: ['https://localhost/']}\n", (7, 21), "without a path", None),
        ("step_up: {challenge_seconds: 6000}\n", (7, 30), "less than or equal to 600", None),
        (
            f"doors: {{console: {{host: 10.0.0.1, {TLS}}}}}\nstep_up: {{mode: webauthn}}\n",
            (8, 10),
            "domain of the console",
            None,
        ),
        ("doors: {ops: {port: 70000}}\n", (7, 21), "65535", None),
        ("doors: {terminals: {host: ''}}\n", (7, 27), "address", None),
        ("doors: {terminals: {host: 'http://x'}}\n", (7, 27), "address", None),
        ("doors: {terminals: {host: 0.0.0.0}}\n", (7, 9), "not loopback", None),
        ("doors: {terminals: {host: records.example.gov}}\n", (7, 9), "not loopback", None),
        (f"doors: {{ops: {{host: 10.0.0.1, {TLS}}}}}\n", (7, 9), "needs a 'token'", None),
        ("doors: {ops: {port: 8440}}\n", (7, 8), "same port", None),
        ("doors: {ops: {tls: {certificate: c.pem}}}\n", (7, 15), "'key' is missing", "add it"),
        ("doors: {ops: {tls: {certificate: c, key: k, client_ca: a}}}\n", (7, 15), "revocation list", None),
        ("doors: {ops: {tls: {certificate: c, key: k, crl: a}}}\n", (7, 50), "'crl' needs 'client_ca'", None),
        (
            "doors: {ops: {tls: {certificate: c, key: k, require_client_certificate: true}}}\n",
            (7, 73),
            "needs 'client_ca'",
            None,
        ),
        ("doors: {ops: {token: ''}}\n", (7, 22), "must name a file", None),
        ("  conections: 3\n", (7, 3), "unknown key 'conections'", "did you mean 'connections'?"),
        ("  certificate: c.pem\n", (7, 16), "https URL only", None),
        ("  url: http://127.0.0.1:1\n", (7, 3), "duplicate key", None),
        ("limits: [1]\n", (7, 9), "names and values belong here", None),
        ("limits: {\n", (8, 1), "", None),
    ],
)
def test_each_mistake_has_its_place_and_a_hint(
    configuration: Configuration, more: str, place: tuple[int, int], says: str, helps: str | None
) -> None:
    """File, line and column, the line with a caret, and what to do."""
    found = configuration.mistakes(more)[0]

    assert (found.line, found.column) == place, found
    assert says in found.message
    assert helps is None or (found.help is not None and helps in found.help)
    assert str(found).startswith(f"{configuration.path}:{place[0]}:{place[1]}: ")


@pytest.mark.parametrize(
    "url",
    [
        "records.example.gov",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://user:word@127.0.0.1",
        "http://user@127.0.0.1",
        "http://127.0.0.1/api",
        "http://127.0.0.1/?a=b",
        "http://127.0.0.1?",
        "http://127.0.0.1/#x",
        "http://127.0.0.1 /",
        "http://[::1",
        "http://records.example.gov",
        "http://127.0.0.1.example.gov",
        "http://0.0.0.0:80",
    ],
)
def test_an_upstream_that_is_no_origin_or_would_be_in_the_clear_is_refused(configuration: Configuration, url: str) -> None:
    """Scheme, host, port: no path, no query, no password, and no records in the clear across a network."""
    found = configuration.mistake(SHOWCAUSE_UPSTREAM__URL=url)

    assert "SHOWCAUSE_UPSTREAM__URL" in f"{found.file} {found.help}"
    assert "word" not in found.message.replace("password", "")


@pytest.mark.parametrize("url", ["http://localhost:1", "http://[::1]:8001", "http://127.9.9.9", "https://records.example.gov/"])
def test_an_upstream_on_this_machine_or_by_https_is_taken(configuration: Configuration, url: str) -> None:
    """A last slash is not a path."""
    assert configuration.load(SHOWCAUSE_UPSTREAM__URL=url).upstream.url == url.rstrip("/")


def test_plaintext_has_to_be_said_in_words_that_grep_finds(configuration: Configuration) -> None:
    """The hole has a name that begins with unsafe_."""
    found = configuration.load(
        "  unsafe_plaintext: true\ndoors: {terminals: {host: 0.0.0.0, unsafe_plaintext: true}}\n",
        SHOWCAUSE_UPSTREAM__URL="http://records.example.gov",
    )

    assert found.upstream.unsafe_plaintext
    assert found.doors.terminals.host == "0.0.0.0"


@pytest.mark.parametrize("origin", ["two words", "https://x", "x/", "/x", "x+y", "", "x\ny", "x/../y z"])
def test_an_origin_that_cannot_name_a_log_is_refused(configuration: Configuration, minimal: str, origin: str) -> None:
    """It becomes the first line of every checkpoint and a part of every Audit-Entry."""
    text = minimal.replace("records.example.gov/audit", repr(origin).replace("'", '"'))

    assert configuration.mistake(text=text).line == 1


def test_every_mistake_is_told_at_once(configuration: Configuration) -> None:
    """Of every section, of file and environment, of values and of what does not fit together."""
    found = configuration.mistakes(
        "  connections: many\n  key: k.pem\n"
        "keyz: 1\n"
        "doors: {terminals: {host: 0.0.0.0}, ops: {port: -1}}\n"
        "logging: {format: xml}\n",
        environ={
            "SHOWCAUSE_UPSTREM__URL": "x",
            "SHOWCAUSE_LIMITS__BODY_BYTES": "many",
            "SHOWCAUSE_UPSTREAM__URL": "http://far.example",
        },
    )

    report = str(DocumentInvalid(found))
    for part in (
        "showcause.yaml:7:16: Input should be a valid integer",
        "is of use with an https URL only",
        "in the clear",
        "unknown key 'keyz'",
        "did you mean 'keys'?",
        "0.0.0.0 is not loopback",
        "showcause.yaml:10:49: ",
        "Input should be 'json' or 'console'",
        "SHOWCAUSE_UPSTREM__URL:1:1: names no setting",
        "did you mean SHOWCAUSE_UPSTREAM__URL?",
        "SHOWCAUSE_LIMITS__BODY_BYTES:1:1: Input should be a valid integer",
    ):
        assert part in report


@pytest.mark.parametrize(
    "variable", ["SHOWCAUSE_", "SHOWCAUSE_UPSTREAM", "SHOWCAUSE_UPSTREAM__", "SHOWCAUSE_UPSTREAM_URL", "SHOWCAUSE_X__Y"]
)
def test_a_variable_that_names_no_setting_is_a_mistake(configuration: Configuration, variable: str) -> None:
    """It was meant to change something; a start that ignores it would run with the wrong bound."""
    assert configuration.mistake(**{variable: "x"}).message == "names no setting"


def test_what_kubernetes_says_of_a_service_of_our_name_is_no_setting(configuration: Configuration) -> None:
    """A pod beside a Service named showcause starts all the same."""
    found = configuration.load(
        SHOWCAUSE_SERVICE_HOST="10.0.0.1",
        SHOWCAUSE_SERVICE_PORT="8440",
        SHOWCAUSE_SERVICE_PORT_TERMINALS="8440",
        SHOWCAUSE_PORT="tcp://10.0.0.1:8440",
        SHOWCAUSE_PORT_8440_TCP_ADDR="10.0.0.1",
    )

    assert found.doors.terminals.port == 8440


def test_a_certificate_without_its_key_is_a_mistake(configuration: Configuration) -> None:
    """And a key without its certificate."""
    url = "https://records.example.gov"

    for name in ("CERTIFICATE", "KEY"):
        found = configuration.mistake(**{"SHOWCAUSE_UPSTREAM__URL": url, f"SHOWCAUSE_UPSTREAM__{name}": "x.pem"})
        assert "go together" in found.message


def test_an_override_below_a_value_that_is_no_section_is_told_at_the_file(configuration: Configuration) -> None:
    """The override does not paper over the mistake."""
    found = configuration.mistake("limits: 3\n", SHOWCAUSE_LIMITS__BODY_BYTES="4096")

    assert (found.line, found.column) == (7, 9)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "mapping"),
        (b"- a\n", "mapping"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\xef\xbb\xbforigin: x\n", "byte order mark"),
        (b"origin: &a [*a]\n", ""),
        (b"origin: !!python/object:os.system x\n", ""),
    ],
)
def test_what_is_not_a_configuration_at_all_is_refused(configuration: Configuration, content: bytes, says: str) -> None:
    """Whatever the bytes, the answer is a place and a sentence."""
    configuration.path.write_bytes(content)

    with pytest.raises(DocumentInvalid) as caught:
        load_settings(configuration.path, {})
    assert says in caught.value.mistakes[0].message


def test_a_file_that_is_not_there_is_a_mistake_with_its_name(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(DocumentInvalid) as caught:
        load_settings(tmp_path / "none.yaml", {})
    assert str(tmp_path / "none.yaml") in str(caught.value)


@given(value=st.text(max_size=40).filter(lambda text: "\0" not in text))
@settings(max_examples=60, deadline=None)
def test_whatever_the_environment_holds_is_a_setting_or_a_mistake(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    """No value of a variable is a traceback."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text("origin: a/b\ndata: d\npolicies: p\nkeys: {checkpoint: a, index: b, body: c, registry: d}\n", "utf-8")
    for name in ("UPSTREAM__URL", "DOORS__OPS__HOST", "ORIGIN", "DATA", "PRESENCE_SECONDS", "UPSTREAM__UNSAFE_PLAINTEXT"):
        environ = {"SHOWCAUSE_UPSTREAM__URL": "https://records.example.gov"} | {f"SHOWCAUSE_{name}": value}
        try:
            outcome = str(load_settings(path, environ).data)
        except DocumentInvalid as invalid:
            outcome = str(invalid)
        assert outcome.startswith(("/", "environment/"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.gov", False),
        ("127.0.0.1.example.gov", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_loopback_is_what_cannot_leave_the_machine(host: str, expected: bool) -> None:
    """A name is taken to leave it, and so is every odd spelling."""
    assert is_loopback(host) is expected
