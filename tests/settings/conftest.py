from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.document import DocumentInvalid, Mistake
from proxy.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MINIMAL = """\
origin: records.example.gov/audit
data: data
policies: policies
keys: {checkpoint: keys/checkpoint.pem, index: keys/index, body: keys/body, registry: /etc/keys/registry}
upstream:
  url: http://127.0.0.1:8001
"""


class Configuration:
    """A configuration file in a folder of its own, and an environment beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "showcause.yaml"

    def load(self, more: str = "", *, text: str = MINIMAL, **environ: str) -> Settings:
        self.path.write_text(text + more, "utf-8")
        return load_settings(self.path, environ)

    def mistakes(self, more: str = "", *, text: str = MINIMAL, environ: Mapping[str, str] | None = None) -> list[Mistake]:
        self.path.write_text(text + more, "utf-8")
        with pytest.raises(DocumentInvalid) as caught:
            load_settings(self.path, environ or {})
        return list(caught.value.mistakes)

    def mistake(self, more: str = "", *, text: str = MINIMAL, **environ: str) -> Mistake:
        found = self.mistakes(more, text=text, environ=environ)
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(tmp_path)


@pytest.fixture
def minimal() -> str:
    return MINIMAL


def pytest_make_parametrize_id(val: Any) -> str | None:
    return repr(val) if isinstance(val, str) and len(val) < 60 else None
