"""The policy as one page of HTML: every decision in a grid of who and whom, every row in words, every group and its members.

The page needs nothing but itself. Its content security policy admits one style and one script by their SHA-256 and no other
source, address or form, so that it can lie anywhere and be sent by mail. Every text is escaped, and what the script shows it
sets as text. Without the script the grid shows the most ordinary question, and the rows are all there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import TYPE_CHECKING, Any, Final

from proxy.policy.decision import Facts, Outcome
from proxy.policy.lattice import ruling_of
from proxy.policy.matrix_page import SCRIPT, STYLE
from proxy.policy.rows import obligations
from proxy.policy.vocabulary import COLUMNS, NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.policy.rows import Row
    from proxy.policy.service import PolicySet

DOWN: Final = "role"
ACROSS: Final = "category"
CHOSEN: Final = ("action", "purpose", "standing", "relation", "approval")
USUAL: Final = {"action": "person.read", "purpose": "C", "standing": "assigned"}

_QUESTIONS: Final = {
    "role": "Who asks",
    "action": "What is asked",
    "purpose": "Why",
    "category": "About whom",
    "standing": "Part in the case",
    "relation": "Relation to the person",
    "approval": "Supervisor's approval",
}
_MEANINGS: Final = {
    Outcome.CONCEAL: "answered as if there were no such record",
    Outcome.DENY: "refused",
    Outcome.ESCALATE: "a supervisor has to agree first",
    Outcome.MASK: "answered, with parts hidden",
    Outcome.PERMIT: "answered",
}


def table_of(policies: PolicySet) -> dict[str, Any]:
    """Return every decision: the kinds of words of each column, the rulings, and which of them each question comes to.

    ``columns`` holds, column by column, lists of words that no row tells apart; ``cells`` goes through the product of those
    lists, the last column fastest, and holds indexes into ``rulings``.
    """
    lattice = policies.lattice
    kinds = [[list(alike) for alike in kinds.values()] for kinds in lattice.kinds()]
    rulings: dict[tuple[str, str, str, str], int] = {}
    cells = []
    for facts in _product(kinds):
        ruling = ruling_of(lattice.matching(facts))
        said = str(ruling.outcome), ruling.rule, obligations(ruling), ruling.because
        cells.append(rulings.setdefault(said, len(rulings)))
    return {
        "version": policies.version,
        "columns": dict(zip(COLUMNS, kinds, strict=True)),
        "rulings": [dict(zip(("outcome", "rule", "obligations", "because"), said, strict=True)) for said in rulings],
        "cells": cells,
    }


def page(policies: PolicySet) -> str:
    """Return the whole page."""
    table = table_of(policies)
    chosen = _usual(table["columns"])
    # A browser ends a script element at the first "</", wherever that stands.
    data = json.dumps(table, separators=(",", ":")).replace("<", "\\u003c")
    security = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{security}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>Policy {escape(policies.version)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            _head(policies),
            "<main>",
            _decisions(table, chosen),
            _rows(policies.sheet.rows),
            _groups(policies),
            _words(policies),
            "</main>",
            f'<script type="application/json" id="data">{data}</script>',
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _head(policies: PolicySet) -> str:
    return (
        f"<header><h1>The policy, version <code>{escape(policies.version)}</code></h1>"
        f"<p>{policies.lattice.size:,} questions can be asked. The strictest matching row decides, and what no row matches is "
        "denied. Whether the case is real, and the person's part in it true, is asked before.</p>"
        f"{_legend()}</header>"
    )


def _product(kinds: Sequence[Sequence[Sequence[str]]]) -> Iterable[Facts]:
    found: list[tuple[str, ...]] = [()]
    for column in kinds:
        found = [(*before, words[0]) for before in found for words in column]
    return [Facts(*words) for words in found]


def _usual(columns: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, int]:
    """Return which kind of words of each chosen column is looked at first: the ordinary, where the policy knows it."""
    return {
        column: next((at for at, words in enumerate(columns[column]) if USUAL.get(column, NONE) in words), 0)
        for column in CHOSEN
    }


def _legend() -> str:
    items = (f'<li><b class="{outcome}">{outcome}</b> {meaning}</li>' for outcome, meaning in _MEANINGS.items())
    return f'<ul class="legend">{"".join(items)}</ul>'


def _decisions(table: Mapping[str, Any], chosen: Mapping[str, int]) -> str:
    columns = table["columns"]
    selects = "".join(_select(column, columns[column], chosen[column]) for column in CHOSEN)
    head = "".join(f'<th scope="col">{escape(", ".join(words))}</th>' for words in columns[ACROSS])
    body = []
    for down, who in enumerate(columns[DOWN]):
        cells = (_cell(table, {**chosen, DOWN: down, ACROSS: across}) for across in range(len(columns[ACROSS])))
        body.append(f'<tr><th scope="row">{escape(", ".join(who))}</th>{"".join(cells)}</tr>')
    hint = "Who asks stands at the left, about whom at the top. Words that no row tells apart stand together."
    return (
        f'<section><h2>Decisions</h2><p class="hint">{hint}</p><form id="choice">{selects}</form>'
        f'<p id="asked" aria-live="polite">{escape(_asked(columns, chosen))}</p>'
        '<div class="wide" tabindex="0" role="region" aria-label="Decisions"><table id="grid" aria-describedby="asked">'
        f"<thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div></section>"
    )


def _select(column: str, kinds: Sequence[Sequence[str]], chosen: int) -> str:
    options = "".join(
        f'<option value="{at}"{" selected" if at == chosen else ""}>{escape(", ".join(words))}</option>'
        for at, words in enumerate(kinds)
    )
    return f'<label>{escape(_QUESTIONS[column])}<select data-column="{column}">{options}</select></label>'


def _asked(columns: Mapping[str, Sequence[Sequence[str]]], chosen: Mapping[str, int]) -> str:
    return "; ".join(f"{_QUESTIONS[column]}: {', '.join(columns[column][chosen[column]])}" for column in CHOSEN)


def _cell(table: Mapping[str, Any], at: Mapping[str, int]) -> str:
    place = 0
    for column, kinds in table["columns"].items():
        place = place * len(kinds) + at[column]
    ruling = table["rulings"][table["cells"][place]]
    return (
        f'<td class="{escape(ruling["outcome"])}" title="{escape(ruling["because"])}"><b>{escape(ruling["outcome"])}</b> '
        f"<span>{escape(ruling['rule'])}</span></td>"
    )


def _rows(rows: Sequence[Row]) -> str:
    heads = ("Outcome", "Row", *(_QUESTIONS[column] for column in COLUMNS), "With it", "Because")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = []
    for row in rows:
        said = (str(row.outcome), row.rule, *row.conditions, obligations(row), row.because)
        cells = "".join(
            f'<td data-name="{escape(name)}">{escape(word).replace("+", "+<wbr>")}</td>'
            for name, word in zip(heads, said, strict=True)
        )
        body.append(f'<tr class="{row.outcome}">{cells}</tr>')
    return (
        '<section><h2>Rows</h2><p class="hint">The strictest first. All conditions of a row have to hold.</p>'
        '<label class="search">Only rows with all of these words<input id="filter" type="search" autocomplete="off" '
        'placeholder="for example: records victim"></label><p id="shown" class="hint" aria-live="polite"></p>'
        f'<table id="rows"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></section>'
    )


def _groups(policies: PolicySet) -> str:
    meanings = policies.vocabulary.groups
    items = []
    for (column, group), members in sorted(policies.sheet.members().items()):
        meaning = meanings.get(column, {}).get(group, "")
        items.append(
            f"<dt>{escape(group)} <small>{escape(column)}</small></dt>"
            f"<dd>{escape(', '.join(sorted(members)))}<br><i>{escape(meaning)}</i></dd>"
        )
    return f"<section><h2>Groups</h2><dl>{''.join(items)}</dl></section>"


def _words(policies: PolicySet) -> str:
    said = {
        **policies.vocabulary.roles,
        **policies.vocabulary.categories,
        **{name: f"{code.label}. {code.meaning}" for name, code in policies.catalogue.codes.items()},
        **{name: f"{each.label}: {each.meaning}" for name, each in policies.fields.items()},
    }
    items = "".join(f"<dt>{escape(word)}</dt><dd>{escape(meaning)}</dd>" for word, meaning in said.items())
    return f"<section><h2>Words</h2><dl>{items}</dl></section>"


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
