"""A third party's time over the manifest: asked for, verified, and read by OpenSSL too."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from proxy.audit.bundle.authority import Asker
from proxy.audit.bundle.exporting import Notary
from proxy.audit.bundle.stamps import StampInvalid, authorities
from proxy.audit.bundle.trust import Trust
from tests.audit.bundle.authority import Authority, make_authority
from tests.audit.bundle.forgeries import relist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.audit.bundle.conftest import World

STAMP = "manifest-sha256.txt.tsr"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an authority's keys."""
    home = tmp_path_factory.mktemp("tsa")
    make_authority(home)
    return home


@pytest.fixture
def authority(certified: Path) -> Iterator[Authority]:
    """Return an authority that listens."""
    authority = Authority(certified)
    authority.start()
    yield authority
    authority.stop()


def trust(world: World, certified: Path) -> Trust:
    """Return what a verifier is given who believes the authority."""
    return Trust(logs=world.trust.logs, authorities=authorities(certified / "ca.pem"))


def stamped(world: World, authority: Authority, target: Path) -> None:
    """Export with a time-stamp."""
    notary = Notary(ask=Asker(authority.url), roots=authorities(authority.home / "ca.pem"))
    world.export(target, notary=notary)


def test_a_manifest_is_stamped_and_only_its_hash_leaves(filled: World, authority: Authority, tmp_path: Path) -> None:
    """The time is the authority's; it has learned nothing but a hash; OpenSSL says the same."""
    stamped(filled, authority, tmp_path / "bundle")
    report = filled.verify(tmp_path / "bundle", trust(filled, authority.home))
    assert report.findings == ()
    assert report.stamped is not None
    assert abs(report.stamped - datetime.now(UTC)) < timedelta(minutes=5)
    [query] = authority.queries
    assert bytes.fromhex(report.manifest) in query
    assert len(query) < 100
    data, answer = tmp_path / "bundle/manifest-sha256.txt", tmp_path / "bundle" / STAMP
    command = ["openssl", "ts", "-verify", "-data", str(data), "-in", str(answer), "-CAfile", str(authority.home / "ca.pem")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout
    assert report.manifest in (tmp_path / "bundle/certification.txt").read_text()
    assert STAMP in (tmp_path / "bundle/certification.txt").read_text()


def test_without_a_certificate_the_stamp_is_said_to_be_unread(filled: World, authority: Authority, tmp_path: Path) -> None:
    """A note, no finding; and a stamp that was asked for and is not there is one."""
    stamped(filled, authority, tmp_path / "bundle")
    assert any("time-stamp" in note for note in filled.verify(tmp_path / "bundle").notes)
    filled.export(tmp_path / "bare")
    report = filled.verify(tmp_path / "bare", trust(filled, authority.home))
    assert [(finding.kind, finding.path) for finding in report.findings] == [("missing", STAMP)]


def test_a_stamp_of_another_manifest_or_authority_is_named(
    filled: World, authority: Authority, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also when the manifests were made to agree."""
    stamped(filled, authority, tmp_path / "one")
    filled.export(tmp_path / "two", value="badge-2")
    (tmp_path / "two" / STAMP).write_bytes((tmp_path / "one" / STAMP).read_bytes())
    relist(tmp_path / "two")
    report = filled.verify(tmp_path / "two", trust(filled, authority.home))
    found = {(finding.kind, finding.path) for finding in report.findings}
    assert found == {("time-stamp", STAMP), ("altered", "README.txt"), ("altered", "certification.txt")}
    another = tmp_path_factory.mktemp("another")
    make_authority(another)
    report = filled.verify(tmp_path / "one", trust(filled, another))
    assert [(finding.kind, finding.path) for finding in report.findings] == [("time-stamp", STAMP)]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (web.Response(status=503), "status 503"),
        (web.Response(body=b"no answer"), "no answer of a time-stamping authority"),
        (web.Response(body=b"0" * 100_000), "without end"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "status 302"),
    ],
)
def test_an_authority_that_fails_gives_no_bundle(
    filled: World, authority: Authority, tmp_path: Path, broken: web.Response, said: str
) -> None:
    """A stamp that is configured is not left out in silence."""
    authority.broken = broken
    with pytest.raises(StampInvalid, match=said):
        stamped(filled, authority, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_an_authority_that_is_not_there_gives_no_bundle(filled: World, certified: Path, tmp_path: Path) -> None:
    """The reason is said."""
    notary = Notary(ask=Asker("http://127.0.0.1:1/"), roots=authorities(certified / "ca.pem"))
    with pytest.raises(StampInvalid, match="cannot be reached"):
        filled.export(tmp_path / "bundle", notary=notary)
