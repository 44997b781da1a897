# ruff: noqa: D102, D107 -- the names of html.parser
from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from proxy.policy.decision import Facts
from proxy.policy.lattice import ruling_of
from proxy.policy.matrix import page, table_of
from proxy.policy.rows import make_sheet
from proxy.policy.service import PolicySet, load_policies
from proxy.policy.vocabulary import COLUMNS

SHIPPED: Final = Path(__file__).parents[2] / "policies"
VOID: Final = {"meta", "input", "br", "wbr"}


class Reader(HTMLParser):
    """What a browser would see: elements in order, their attributes, and whether every one is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.crossed: list[str] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


@pytest.fixture(scope="module")
def shipped() -> PolicySet:
    """Return the shipped policy."""
    return load_policies(SHIPPED)


def _read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_table_holds_every_decision(shipped: PolicySet) -> None:
    """Every question of the whole product finds its ruling by the place that its words have in the table."""
    table = table_of(shipped)
    kinds = [{word: at for at, words in enumerate(table["columns"][column]) for word in words} for column in COLUMNS]
    sizes = [len(table["columns"][column]) for column in COLUMNS]

    asked = list(product(*(sorted(shipped.words.words[column]) for column in COLUMNS)))[::97]

    for words in asked:
        place = 0
        for size, known, word in zip(sizes, kinds, words, strict=True):
            place = place * size + known[word]
        ruling = ruling_of(shipped.lattice.matching(Facts(*words)))
        said = table["rulings"][table["cells"][place]]
        assert (said["outcome"], said["rule"]) == (ruling.outcome, ruling.rule)


def test_the_page_is_whole_and_says_everything(shipped: PolicySet) -> None:
    """Every element is closed; every row, group and reason of the policy is there."""
    text = page(shipped)
    reader = _read(text)

    assert reader.crossed == []
    assert reader.open == []
    said = {word for texts in reader.texts.values() for word in texts}
    for row in shipped.sheet.rows:
        assert {row.rule, row.because} <= said
    assert len([1 for tag, _ in reader.seen if tag == "tr"]) > len(shipped.sheet.rows)
    assert shipped.version in text


def test_the_page_needs_nothing_but_itself(shipped: PolicySet) -> None:
    """No address, no handler, no style or script but those whose hash the page's own policy names."""
    text = page(shipped)
    reader = _read(text)

    for tag, attributes in reader.seen:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "a"}
        assert not attributes.keys() & {"src", "href", "action", "style", "srcset"}
        assert not [name for name in attributes if name.startswith("on")]
    assert "http://" not in text
    assert "https://" not in text
    (security,) = [
        a["content"] or "" for t, a in reader.seen if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert security.startswith("default-src 'none'; ")
    assert "unsafe" not in security
    for kind, pattern in (("style", r"<style>(.*?)</style>"), ("script", r"<script>(.*?)</script>")):
        (content,) = re.findall(pattern, text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in security


def test_no_text_of_a_policy_becomes_markup(shipped: PolicySet) -> None:
    """A reason or a meaning with markup in it stays text, in the page and in the data that the script reads."""
    evil = '</script><img src=x onerror="alert(1)"><!--'
    rows = [replace(row, because=evil) for row in shipped.sheet.rows]
    vocabulary = replace(
        shipped.vocabulary,
        roles=MappingProxyType({**shipped.vocabulary.roles, "patrol": evil}),
        groups=MappingProxyType({"role": MappingProxyType({"officer": evil})}),
    )
    spoiled = replace(shipped, sheet=make_sheet(rows, shipped.sheet.groupings), vocabulary=vocabulary)
    lattice = type(shipped.lattice)(spoiled.sheet, shipped.words)

    text = page(replace(spoiled, lattice=lattice))

    reader = _read(text)
    assert not [tag for tag, _ in reader.seen if tag == "img"]
    assert len(re.findall("</script>", text)) == 2
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert evil in {ruling["because"] for ruling in json.loads(data)["rulings"]}
