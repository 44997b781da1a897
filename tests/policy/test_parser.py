from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.owed import Duty, Owed
from proxy.document import DocumentInvalid
from proxy.policy.decision import Demand, Outcome
from proxy.policy.parser import MAX_BYTES, MAX_ROWS, parse_policy
from proxy.policy.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words

FIELDS = frozenset({"ssn", "photo", "financial"})

DENY = "deny, D1, any, any, any, informant, any, any, any, none, hidden persons are not for you"
PERMIT = "permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary work"
MASK = "mask, M1, records, person.read, J, none, any, none, none, mask=ssn+photo; notify=patrol, background"
ESCALATE = "escalate, E1, patrol, person.read, C, official, assigned, none, none, none, everybody agrees"
GROUP = "g, patrol, asker"
GOOD = f"# rules\n\n{GROUP}\n{DENY}\n{MASK}\n{PERMIT}\n"


def _swap(old: str, new: str) -> bytes:
    assert GOOD.count(old) >= 1
    return GOOD.replace(old, new, 1).encode()


MALFORMED: dict[str, tuple[bytes, str]] = {
    # the file as a whole
    "empty file": (b"", "the file is empty"),
    "only blanks": (b" \n\n", "the file is empty"),
    "only comments": (b"# nothing\n", "no rows"),
    "only groupings": (f"{GROUP}\n".encode(), "no rows"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), "byte order mark"),
    "UTF-16": (GOOD.encode("utf-16"), "byte order mark"),
    "UTF-16 without mark": (GOOD.encode("utf-16-le"), "NUL"),
    "Latin-1": (_swap("ordinary work", "ordin\u00e4re Arbeit").decode().encode("latin-1"), "is not UTF-8"),
    "cut off in a line": (GOOD.encode()[:-9], "the last line does not end"),
    "carriage returns as line ends": (GOOD.replace("\n", "\r").encode(), "carriage return"),
    "carriage return that hides a row": (_swap(f"\n{DENY}\n", f"\n# x\r{DENY}\n"), "carriage return"),
    "NUL": (_swap("patrol, person", "patrol\0, person"), "NUL"),
    "too large": (b"#" * MAX_BYTES + b"\n" + GOOD.encode(), "larger than"),
    "too many rows": (("".join(f"{DENY}\n".replace("D1", f"D{n}") for n in range(MAX_ROWS + 1))).encode(), "more than"),
    "endless line": (_swap("ordinary work", "work " * 200), "longer than"),
    "saved with semicolons": (GOOD.replace(",", ";").encode(), "divided by commas"),
    # characters that are not what they seem
    "typographic apostrophe": (_swap("ordinary work", "one\u2019s work"), "type it straight"),
    "zero-width space in a role": (_swap("patrol, person", "pat\u200brol, person"), "ZERO WIDTH SPACE"),
    "zero-width joiner": (_swap("informant", "infor\u200dmant"), "ZERO WIDTH JOINER"),
    "soft hyphen": (_swap("informant", "infor\u00admant"), "SOFT HYPHEN"),
    "byte order mark within": (_swap("deny, D1", "\ufeffdeny, D1"), "ZERO WIDTH NO-BREAK SPACE"),
    "right-to-left override": (_swap("informant", "\u202einformant"), "RIGHT-TO-LEFT OVERRIDE"),
    "no-break space": (_swap("D1, any", "D1,\u00a0any"), "NO-BREAK SPACE"),
    "tab": (_swap("D1, any", "D1,\tany"), "separate with spaces"),
    "vertical tab": (_swap(f"\n{DENY}", f"\n# x\v{DENY}"), "invisible"),
    "form feed": (_swap(f"\n{DENY}", f"\n# x\f{DENY}"), "invisible"),
    "next line": (_swap(f"\n{DENY}", f"\n# x\u0085{DENY}"), "invisible"),
    "line separator": (_swap(f"\n{DENY}", f"\n# x\u2028{DENY}"), "LINE SEPARATOR"),
    "paragraph separator": (_swap(f"\n{DENY}", f"\n# x\u2029{DENY}"), "PARAGRAPH SEPARATOR"),
    "ideographic space": (_swap("D1, any", "D1,\u3000any"), "IDEOGRAPHIC SPACE"),
    "Cyrillic o": (_swap("patrol, person", "patr\u043el, person"), "CYRILLIC SMALL LETTER O"),
    "full-width comma": (_swap("none, assigned", "none\uff0c assigned"), "10 cells where 11"),
    "not NFC": (_swap("ordinary work", unicodedata.normalize("NFD", "ordin\u00e4re Arbeit")), "not NFC"),
    # quoting, brackets, comments
    "quoted outcome": (_swap("deny,", '"deny",'), "quotes are not read"),
    "quoted word": (_swap("informant", '"informant"'), "quotes are not read"),
    "quoted comma": (_swap("hidden persons are not for you", '"hidden, secret"'), "quotes are not read"),
    "single quotes": (_swap("informant", "'informant'"), "unknown category"),
    "typographic quotes": (_swap("informant", "\u201cinformant\u201d"), "LEFT DOUBLE QUOTATION MARK"),
    "backtick": (_swap("informant", "`informant`"), "'`' is not allowed"),
    "open bracket": (_swap("hidden persons", "(hidden persons"), "brackets"),
    "closing bracket": (_swap("hidden persons", "hidden) persons"), "brackets"),
    "square bracket": (_swap("any, any, any, inf", "[any, any, any, inf"), "brackets"),
    "brace": (_swap("informant", "{informant}"), "brackets"),
    "backslash": (_swap("hidden persons", "hidden persons \\"), "one line"),
    "comment behind a row": (_swap("deny,", "deny # s.12,"), "a comment stands on a line of its own"),
    "comment at the end": (_swap("ordinary work", "ordinary work # s.12"), "a comment stands on a line of its own"),
    # columns
    "missing column": (_swap("informant, any, any, any", "informant, any, any"), "10 cells where 11"),
    "extra column": (_swap("informant, any, any, any", "informant, any, any, any, any"), "12 cells where 11"),
    "trailing comma": (_swap("hidden persons are not for you", "hidden persons are not for you,"), "12 cells where 11"),
    "comma in the reason": (_swap("ordinary work", "ordinary, work"), "may hold no comma"),
    "leading comma": (_swap("deny,", ", deny,"), "unknown beginning"),
    "empty cell": (_swap("informant, any, any", "informant, , any"), "'standing' is empty"),
    "empty reason": (_swap("ordinary work", ""), "'because' is empty"),
    "reason of signs": (_swap("ordinary work", "----"), "says nothing"),
    "semicolons instead of commas": (_swap(DENY, DENY.replace(",", ";")), "unknown beginning"),
    "two rows on one line": (_swap(f"{MASK}\n", f"{MASK}, "), "22 cells where 11"),
    # the beginning of a line
    "Casbin's p": (_swap("deny, D1", "p, deny, D1"), "unknown beginning 'p'"),
    "Casbin's P": (_swap("deny, D1", "P, deny, D1"), "unknown beginning 'P'"),
    "Casbin's p2": (_swap("deny, D1", "p2, deny, D1"), "unknown beginning 'p2'"),
    "g0": (_swap("g, patrol", "g0, patrol"), "unknown beginning 'g0'"),
    "g7": (_swap("g, patrol", "g7, patrol"), "unknown beginning 'g7'"),
    "G": (_swap("g, patrol", "G, patrol"), "unknown beginning 'G'"),
    "upper-case outcome": (_swap("deny,", "DENY,"), "unknown beginning 'DENY'"),
    "capital outcome": (_swap("deny,", "Deny,"), "unknown beginning 'Deny'"),
    "Casbin's allow": (_swap("permit,", "allow,"), "unknown beginning 'allow'"),
    "block": (_swap("deny,", "block,"), "unknown beginning 'block'"),
    "misspelt outcome": (_swap("deny,", "dney,"), "unknown beginning 'dney'"),
    "no separator": (_swap("deny, D1", "deny D1"), "unknown beginning 'deny D1'"),
    # words
    "unknown role": (_swap("patrol, person", "patroll, person"), "unknown role 'patroll'"),
    "role in upper case": (_swap("patrol, person", "Patrol, person"), "unknown role 'Patrol'"),
    "unknown action": (_swap("person.read", "person.raed"), "unknown action 'person.raed'"),
    "unknown purpose": (_swap("person.read, C", "person.read, c"), "unknown purpose 'c'"),
    "unknown category": (_swap("informant", "informnat"), "unknown category 'informnat'"),
    "unknown standing": (_swap("assigned", "asigned"), "unknown standing 'asigned'"),
    "standing that never arrives": (_swap("assigned", "closed"), "unknown standing 'closed'"),
    "unknown relation": (_swap("informant, any, any", "informant, any, wife"), "unknown relation 'wife'"),
    "unknown approval": (_swap("none, none, none, ordinary", "none, yes, none, ordinary"), "unknown approval 'yes'"),
    "group of another column": (_swap("deny, D1, any", "deny, D1, protected"), "unknown role 'protected'"),
    "Any": (_swap("deny, D1, any", "deny, D1, Any"), "unknown role 'Any'"),
    "star": (_swap("deny, D1, any", "deny, D1, *"), "unknown role '*'"),
    "pattern": (_swap("person.read, C", "person.*, C"), "unknown action 'person.*'"),
    "negation": (_swap("deny, D1, any", "deny, D1, !patrol"), "unknown role '!patrol'"),
    "a group that nobody is in": (_swap("informant", "protected"), "names the group 'protected', which nobody is in"),
    # groupings
    "grouping too short": (_swap("g, patrol, asker", "g, patrol"), "2 cells where 3"),
    "grouping too long": (_swap("g, patrol, asker", "g, patrol, asker, here"), "4 cells where 3"),
    "grouping of an unknown word": (_swap("g, patrol", "g, patroll"), "unknown role 'patroll'"),
    "grouping into an unknown group": (_swap("asker", "askers"), "unknown group of role words 'askers'"),
    "grouping of a group": (_swap("g, patrol, asker", "g, asker, asker"), "unknown role 'asker'"),
    "grouping of none": (_swap("g, patrol, asker", "g2, none, protected"), "unknown category 'none'"),
    "grouping of any": (_swap("g, patrol, asker", "g2, any, protected"), "unknown category 'any'"),
    "grouping twice": (_swap(GROUP, f"{GROUP}\n{GROUP}"), "is in 'asker' already, by line 3"),
    # rules
    "rule name twice": (_swap("permit, P1", "permit, D1"), "rule D1 stands already on line 4"),
    "the same row twice": (_swap(DENY, f"{DENY}\n{DENY}"), "rule D1 stands already"),
    "lower-case rule name": (_swap("D1", "d1"), "'d1' is no rule name"),
    "rule name of the engine": (_swap("D1", "default"), "'default' is no rule name"),
    # obligations
    "unknown obligation": (_swap("mask=ssn+photo", "blur=ssn+photo"), "unknown obligation 'blur=ssn+photo'"),
    "watermark is not performed": (_swap("notify=patrol", "watermark=yes"), "unknown obligation 'watermark=yes'"),
    "obligation without a value": (_swap("mask=ssn+photo", "mask"), "unknown obligation 'mask'"),
    "mask of nothing": (_swap("mask=ssn+photo", "mask="), "a field class is missing"),
    "mask row without a mask": (_swap("mask=ssn+photo; notify=patrol", "none"), "a mask row says what it masks"),
    "mask of an unknown class": (_swap("ssn+photo", "snn+photo"), "unknown field class 'snn'"),
    "mask on a permit": (_swap("none, none, none, ordinary", "none, none, mask=ssn, ordinary"), "a permit row masks nothing"),
    "mask on a deny": (_swap("any, any, any, none, hidden", "any, any, any, mask=ssn, hidden"), "a deny row masks nothing"),
    "mask twice": (_swap("ssn+photo", "ssn; mask=photo"), "'mask' is there twice"),
    "class twice": (_swap("ssn+photo", "ssn+ssn"), "names a word twice"),
    "notify nobody known": (_swap("notify=patrol", "notify=chief"), "unknown role 'chief'"),
    "notify within no time": (_swap("notify=patrol", "notify=patrol/soon"), "'soon' is no time"),
    "notify within an empty time": (_swap("notify=patrol", "notify=patrol/"), "'' is no time"),
    "notify within a second": (_swap("notify=patrol", "notify=patrol/30s"), "'30s' is no time"),
    "notify within a year": (_swap("notify=patrol", "notify=patrol/365d"), "'365d' is no time"),
    "notify a role twice": (_swap("notify=patrol", "notify=patrol/1h+patrol/2h"), "'notify' names a role twice"),
    "review without a time": (_swap("notify=patrol", "review=supervisor"), "'supervisor' is no time"),
    "review in no time": (_swap("notify=patrol", "review=0h"), "'0h' is no time"),
    "review by nobody": (_swap("notify=patrol", "review=4h"), "a review needs the role 'supervisor'"),
    "review of what is escalated": (_swap(DENY, f"{ESCALATE.replace('none, e', 'review=4h, e')}"), "put review= on the row"),
    "quorum of none": (_swap(DENY, ESCALATE.replace("none, e", "quorum=0, e")), "'0' is no quorum"),
    "quorum of a crowd": (_swap(DENY, ESCALATE.replace("none, e", "quorum=6, e")), "'6' is no quorum"),
    "quorum in words": (_swap(DENY, ESCALATE.replace("none, e", "quorum=two, e")), "'two' is no quorum"),
    "quorum on a deny": (_swap("any, any, any, none, hidden", "any, any, any, quorum=2, hidden"), "asks nobody"),
    "approvers nobody knows": (_swap(DENY, ESCALATE.replace("none, e", "approvers=chief, e")), "unknown role 'chief'"),
    "approvers on a mask": (_swap("notify=patrol", "approvers=patrol"), "asks nobody"),
    "exigent perhaps": (_swap(DENY, ESCALATE.replace("none, e", "exigent=maybe, e")), "unknown obligation 'exigent=maybe'"),
    "exigent on a mask": (_swap("notify=patrol", "exigent=never"), "refuses nothing that an emergency could need"),
    "break-glass is not performed": (
        _swap(DENY, ESCALATE.replace("none, e", "exigent=allowed, e")),
        "this version does not perform 'exigent=allowed', and answers nothing without it",
    ),
    "a mark is not performed": (_swap("notify=patrol", "watermark=entry"), "does not perform 'watermark=entry'"),
    "tell on a conceal": (
        _swap(
            "deny, D1, any, any, any, informant, any, any, any, none",
            "conceal, D1, any, any, any, informant, any, any, any, tell=withheld",
        ),
        "tells of nothing withheld",
    ),
    "tell what": (_swap("any, any, any, none, hidden", "any, any, any, tell=name, hidden"), "unknown word after tell= 'name'"),
    "obligations end in a semicolon": (_swap("notify=patrol", "notify=patrol;"), "unknown obligation ''"),
    # rows that lean on stricter rows
    "permit any role": (_swap("P1, patrol", "P1, any"), "may not say 'any' role"),
    "permit any action": (_swap("person.read, C", "any, C"), "may not say 'any' action"),
    "permit any purpose": (_swap("person.read, C", "person.read, any"), "may not say 'any' purpose"),
    "permit any category": (_swap("C, none", "C, any"), "may not say 'any' category"),
    "permit any relation": (_swap("assigned, none", "assigned, any"), "may not say 'any' relation"),
    "permit any approval": (_swap("none, none, none, ord", "none, any, none, ord"), "may not say 'any' approval"),
    "mask any relation": (_swap("J, none, any, none", "J, none, any, any"), "may not say 'any' relation"),
    "escalate for ever": (_swap("deny, D1", "escalate, D1"), "an escalate row asks for an approval"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_policy_is_refused(name: str, small: Words) -> None:
    """A malformed file is refused with file, line, column and what is wrong."""
    raw, fragment = MALFORMED[name]

    with pytest.raises(DocumentInvalid) as caught:
        parse_policy(Path("policy.csv"), raw, words=small, fields=FIELDS)

    assert any(fragment in mistake.message or fragment in (mistake.help or "") for mistake in caught.value.mistakes), str(
        caught.value
    )
    assert all(mistake.line >= 1 and mistake.column >= 1 for mistake in caught.value.mistakes)


def test_the_malformed_files_are_malformed_by_one_thing_only(read: Callable[[str], Sheet]) -> None:
    """The file that the table spoils is itself good, also with Windows line ends."""
    sheet = read(GOOD)

    assert [row.rule for row in sheet.rows] == ["D1", "M1", "P1"]
    assert read(GOOD.replace("\n", "\r\n")).rows == sheet.rows


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        (MASK, "mask=photo+ssn; notify=patrol/15m+records/2d"),
        (MASK, "mask=ssn; notify=patrol"),
        (DENY, "notify=records/4h; tell=withheld"),
        (ESCALATE, "notify=patrol/90m; quorum=2; approvers=patrol+records"),
        (ESCALATE, "quorum=3"),
        (ESCALATE, "none"),
    ],
)
def test_what_a_row_obliges_to_is_written_as_it_is_read(read: Callable[[str], Sheet], row: str, cell: str) -> None:
    """Times, roles, quorum and silence survive; what a row says of itself could stand in the file."""
    text = row.replace("mask=ssn+photo; notify=patrol", cell).replace("none, hidden", f"{cell}, hidden")
    text = text.replace("none, everybody", f"{cell}, everybody")

    assert str(read(f"{GROUP}\n{text}\n").rows[0]) == text


def test_who_agrees_is_one_supervisor_unless_the_row_says_otherwise(read: Callable[[str], Sheet]) -> None:
    """A quorum is of supervisors, and approvers are one of them; never is what is done about broken glass anyway."""

    def demands(cell: str) -> tuple[Demand, ...]:
        return read(f"{GROUP}\n{ESCALATE.replace('none, e', f'{cell}, e')}\n").rows[0].demands

    assert demands("none") == demands("exigent=never") == (Demand(quorum=1, roles=frozenset({"supervisor"})),)
    assert demands("quorum=2") == (Demand(quorum=2, roles=frozenset({"supervisor"})),)
    assert demands("approvers=records") == (Demand(quorum=1, roles=frozenset({"records"})),)


def test_a_row_is_read_as_it_stands(read: Callable[[str], Sheet]) -> None:
    """Outcome, conditions, obligations, reason and line are those of the file."""
    mask = read(GOOD).rows[1]

    assert mask.outcome is Outcome.MASK
    assert mask.conditions == ("records", "person.read", "J", "none", "any", "none", "none")
    assert mask.masked == {"ssn", "photo"}
    assert mask.owed == (Owed(duty=Duty.NOTICE, role="patrol"),)
    assert mask.because == "background"
    assert mask.line == 5


def test_every_mistake_is_told_at_once_with_its_place(read: Callable[[str], Sheet]) -> None:
    """One run tells all mistakes, each with line and column and the nearest word."""
    text = GOOD.replace("informant", "informnat").replace("permit,", "permitt,")

    with pytest.raises(DocumentInvalid) as caught:
        read(text)

    told = [(mistake.line, mistake.column, mistake.help) for mistake in caught.value.mistakes]
    assert told == [(4, 26, "did you mean 'informant'?"), (6, 1, "did you mean 'permit'?")]


def test_a_word_in_the_wrong_case_is_not_guessed_but_suggested(read: Callable[[str], Sheet]) -> None:
    """``DENY`` is a mistake whose help names ``deny``."""
    with pytest.raises(DocumentInvalid, match="did you mean 'deny'"):
        read(GOOD.replace("deny,", "DENY,"))


def test_the_order_of_lines_has_no_say(read: Callable[[str], Sheet]) -> None:
    """Rows stand in deciding order, whatever their lines."""
    turned = "\n".join(reversed(GOOD.strip().split("\n"))) + "\n"

    assert [row.rule for row in read(turned).rows] == [row.rule for row in read(GOOD).rows]


@given(text=st.text(alphabet=st.sampled_from('deny,permit PDM1 g2#\n\r\t"()anyC=;+\u200b\u0430\ufeff'), max_size=200))
@settings(max_examples=200, deadline=None)
def test_a_line_is_read_or_refused_never_dropped(text: str) -> None:
    """Whatever the bytes: as many rows and groupings come out as lines say something, or the file is refused."""
    try:
        sheet = parse_policy(Path("policy.csv"), (GOOD + text).encode(), words=_words(), fields=FIELDS)
    except DocumentInvalid:
        return
    said = [line for line in (GOOD + text).split("\n") if line.strip(" \r") and not line.lstrip(" ").startswith("#")]
    assert len(sheet.rows) + len(sheet.groupings) == len(said)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_one_changed_character_never_drops_a_row(data: st.DataObject) -> None:
    """Any single edit of a good file leaves every line read, or the file refused."""
    at = data.draw(st.integers(0, len(GOOD) - 1))
    new = data.draw(st.sampled_from(["", *'#"(,;: \n\r\taZ0=\u00a0\u200b\u0435']))
    text = GOOD[:at] + new + GOOD[at + 1 :]
    try:
        sheet = parse_policy(Path("policy.csv"), text.encode(), words=_words(), fields=FIELDS)
    except DocumentInvalid:
        return
    said = [line for line in text.split("\n") if line.strip(" \r") and not line.lstrip(" ").startswith("#")]
    assert len(sheet.rows) + len(sheet.groupings) == len(said)


def _words() -> Words:
    return Vocabulary(
        roles={"patrol": "", "records": ""},
        categories={"official": "", "informant": ""},
        category_groups={},
        groups={"role": {"asker": ""}, "category": {"protected": ""}},
    ).words(actions={"person.read", "person.search"}, purposes={"C", "J"})
