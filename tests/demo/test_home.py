from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from proxy.__main__ import run
from proxy.clock import utc_now
from proxy.demo.docket import SIGN_INS
from proxy.demo.home import Home, HomeUnusable, Ports, shipped_policies
from proxy.demo.world import make_world
from proxy.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def _home(path: Path) -> Home:
    return Home(path, shipped_policies())


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder with anything in it that the demo did not make is refused."""
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(HomeUnusable, match="did not make"), _home(tmp_path).held():
        pass

    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_by_one_of_our_names_is_not_ours(tmp_path: Path) -> None:
    """Without the marker nothing is removed, whatever it is called."""
    (tmp_path / "records.db").write_text("somebody else's")

    with pytest.raises(HomeUnusable, match="nothing says"):
        _home(tmp_path).clear()

    assert (tmp_path / "records.db").read_text() == "somebody else's"


def test_clearing_removes_what_was_made_and_nothing_else(tmp_path: Path) -> None:
    """What a newcomer put beside it stays; what a link points to stays."""
    home, elsewhere = _home(tmp_path / "home"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("kept")
    with home.held():
        home.mark(complete=True)
        home.records.write_text("made")
        home.keys.mkdir()
        (home.keys / "index.key").write_text("made")
        home.data.symlink_to(elsewhere)
        (home.path / "notes.txt").write_text("mine")

        home.clear()

    assert not home.records.exists()
    assert not home.keys.exists()
    assert not home.data.is_symlink()
    assert (home.path / "notes.txt").read_text() == "mine"
    assert (elsewhere / "precious").read_text() == "kept"


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is told, before it touches anything."""
    home = _home(tmp_path)

    with home.held(), pytest.raises(HomeUnusable, match="running"), home.held():
        pass

    with home.held():
        pass


def test_the_configuration_is_a_whole_one(tmp_path: Path) -> None:
    """``serve --config`` takes what the demo wrote; the ports are those that were free."""
    home = _home(tmp_path)

    home.write_config(Ports(terminals=18440, console=18441, ops=19440, records=18001))
    settings = load_settings(home.config, {})

    assert settings.upstream.url == "http://127.0.0.1:18001"
    assert (settings.doors.terminals.port, settings.doors.console.port, settings.doors.ops.port) == (18440, 18441, 19440)
    assert settings.log == home.data / "log"
    assert settings.policies == shipped_policies()


def _times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


async def test_a_world_is_made_once(tmp_path: Path) -> None:
    """The second start finds everything as the first left it: records, keys, credentials, store."""
    home = _home(tmp_path)
    with home.held():
        await make_world(home, utc_now)
        before = _times(tmp_path)
        keys = home.read_keys()

        await make_world(home, utc_now)

    assert _times(tmp_path) == before
    assert home.read_keys() == keys
    assert keys.keys() == {sign_in.key for sign_in in SIGN_INS}
    assert len(set(keys.values())) == len(keys)


async def test_a_start_that_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    """Half a world is not taken for a whole one."""
    home = _home(tmp_path)
    with home.held():
        home.mark(complete=False)
        home.records.write_text("half a database")
        home.keys.mkdir()
        (home.keys / "index.key").write_text("half a key")

        await make_world(home, utc_now)

    assert home.complete
    assert home.records.read_bytes().startswith(b"SQLite format 3\x00")


def test_a_newcomer_s_check_finds_nothing(made: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Everybody of the story who is protected is enrolled as they should be: with the homes of those who are concealed."""
    made.write_config(Ports())

    code = run(["registry", "check", "--config", str(made.config)])

    assert (code, capsys.readouterr().out) == (0, "nothing to look at\n")


async def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Keys, the cast's credentials, the store and the import files, which hold the registry in clear."""
    umask = os.umask(0)
    try:
        home = _home(tmp_path)
        with home.held():
            await make_world(home, utc_now)
    finally:
        os.umask(umask)

    secrets = [home.sign_ins, *home.keys.iterdir(), *home.imports.iterdir(), home.data / "store.sqlite3"]
    assert len(secrets) > 6
    assert [path.name for path in secrets if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
