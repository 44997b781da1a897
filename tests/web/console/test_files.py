from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import proxy
from proxy.inquiry.inquiry import RouteUnknown
from proxy.web.console.files import FOLDER, Files

if TYPE_CHECKING:
    from tests.web.console.conftest import Desk

VENDORS = [FOLDER / "vendor", Path(__file__).resolve().parents[2] / "browser" / "vendor"]


@pytest.mark.parametrize("folder", VENDORS, ids=["shipped", "tests"])
def test_what_others_wrote_is_what_they_published(folder: Path) -> None:
    """Every vendored file stands in SHA256SUMS, and is the file it names there; each comes with its licence."""
    lines = (folder / "SHA256SUMS").read_text("ascii").splitlines()
    said = {name: digest for digest, name in (line.split() for line in lines)}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file.name != "SHA256SUMS"}

    assert found == said
    assert [name for name in said if name.endswith(".LICENSE")]


def test_the_wheel_ships_templates_and_static_files() -> None:
    """Hatch takes every file of the package that git does not ignore."""
    root = Path(proxy.__file__).parents[1]
    ignored = (root / ".gitignore").read_text("utf-8").split()

    assert not [
        pattern
        for pattern in ignored
        if pattern.strip("/") in {"vendor", "static", "templates", "*.js", "*.css", "*.html", "*.svg"}
    ]
    assert 'packages = ["proxy"]' in (root / "pyproject.toml").read_text("utf-8")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_file_is_kept_by_the_browser_since_its_path_holds_its_digest(desk: Desk) -> None:
    """Pages are kept nowhere; what they load is the same for everybody, and for good."""
    path = Files().path("console.css")

    answer = await desk.stranger().get(path)

    assert answer.status == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize(
    "path", ["/static/", "/static/console.css", "/static/../door.py", "/static/x/..%2f..%2fdoor.py", "/static//etc/passwd"]
)
def test_nothing_else_is_served(path: str) -> None:
    """A path is looked up among the files that were read at the start; nothing is opened by it."""
    with pytest.raises(RouteUnknown):
        Files().answer("GET", path)
