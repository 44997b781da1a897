# ruff: noqa: E501 -- tables: a kind is a line
"""The kinds of malformed policy that stock Casbin was tried with, and what is made of each here.

Of 71 such files 28 load into Casbin and fail open. Each kind is laid upon the shipped policy: every one is refused, with its
place, the reason and the nearest word where there is one, or is harmless by design and the table says why. A kind that this
format cannot have (a priority, an ``eft``) stands as what comes nearest to it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.decision import Facts
from proxy.policy.engine import ERROR
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.model import check_model
from proxy.policy.parser import MAX_BYTES, MAX_LINE, MAX_ROWS, parse_policy
from proxy.policy.service import PolicySet, load_policies
from proxy.policy.strictness import opens

SHIPPED: Final = Path(__file__).parents[2] / "policies"
POLICY: Final = (SHIPPED / "policy.csv").read_text()
MODEL: Final = (SHIPPED / "model.conf").read_text()
END: Final = "the end of the line"
LONG: Final = "where the line is too long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind: in the line that holds ``line``, ``old`` becomes ``new``; the mistake points ``at`` a text of that line."""

    name: str
    line: str
    old: str
    new: str
    at: str
    says: str
    nearest: str = ""

    def spoiled(self, text: str) -> tuple[str, int, int]:
        """Return the spoiled text, and the line and column where the mistake has to be told."""
        lines = text.split("\n")
        number = next(index for index, line in enumerate(lines) if self.line in line and not line.startswith("#"))
        assert self.old in lines[number], self.name
        lines[number] = lines[number].replace(self.old, self.new, 1)
        places = {END: len(lines[number]), LONG: MAX_LINE}
        column = places[self.at] if self.at in places else lines[number].index(self.at)
        return "\n".join(lines), number + 1, column + 1


def _kind(name: str, line: str, old: str, new: str, at: str, says: str, nearest: str = "") -> Kind:  # noqa: PLR0917 -- a line of the table
    return Kind(name=name, line=line, old=old, new=new, at=at, says=says, nearest=nearest)


NFD: Final = unicodedata.normalize("NFD", "\u00e9")

# kind, the line it is laid upon, what becomes what, where the mistake points, what it says, the nearest word
IN_A_LINE: Final = (
    # cells
    _kind("missing column", " D02,", "any,        any,            any,", "any,        any,", END, "10 cells where 11 belong"),
    _kind("extra column", " D02,", "any,        any,", "any, any,   any,", "auditors read", "12 cells where 11 belong"),
    _kind("trailing comma", " D02,", "never a record", "never a record,", END, "12 cells where 11 belong"),
    _kind("comma in the reason", " D02,", "log and", "log, and", "and never", "12 cells where 11 belong"),
    _kind("two rows on one line", " D02,", "never a record", "never a record, deny, D99, any", "deny, D99", "14 cells where 11 belong"),
    _kind("empty cell", " D02,", "auditor, ", ",        ", ",        ", "'role' is empty"),
    _kind("empty reason", " D02,", "auditors read the log and never a record", "", END, "'because' is empty"),
    _kind("full-width comma", " D02,", "auditor,", "auditor\uff0c", END, "10 cells where 11 belong"),
    _kind("semicolons, as a spreadsheet saves", " D02,", ",", ";", "deny;", "unknown beginning"),
    # the outcome, where Casbin has p, eft and priority
    _kind("eft Deny", " D02,", "deny,", "Deny,", "Deny", "unknown beginning 'Deny'", "deny"),
    _kind("eft DENY", " D02,", "deny,", "DENY,", "DENY", "unknown beginning 'DENY'", "deny"),
    _kind("eft block", " D02,", "deny,", "block,", "block", "unknown beginning 'block'"),
    _kind("eft allow", " P01,", "permit,", "allow,", "allow", "unknown beginning 'allow'"),
    _kind("eft misspelt", " P01,", "permit,", "pemrit,", "pemrit", "unknown beginning 'pemrit'", "permit"),
    _kind("quoted eft", " D02,", "deny,", '"deny",', '"deny"', "'\"' is not allowed"),
    _kind("eft with a comment", " D02,", "deny,", "deny # s.12,", "# s.12", "a comment stands on a line of its own"),
    _kind("comment behind a row", " D02,", "never a record", "never a record # s.12", "# s.12", "a comment stands on a line of its own"),
    _kind("line that starts with p", " D02,", "deny,", "p, deny,", "p, deny", "unknown beginning 'p'"),
    _kind("line that starts with P", " D02,", "deny,", "P, deny,", "P, deny", "unknown beginning 'P'"),
    _kind("line that starts with p2", " D02,", "deny,", "p2, deny,", "p2, deny", "unknown beginning 'p2'"),
    _kind("line without its beginning", " D02,", "deny,      D02,", "D02,", "D02", "unknown beginning 'D02'"),
    _kind("priority column", " D02,", "deny,", "1, deny,", "1, deny", "unknown beginning '1'"),
    _kind("priority blank", " D02,", "deny,", ", deny,", ", deny", "unknown beginning ''"),
    _kind("priority negative", " D02,", "deny,", "-1, deny,", "-1, deny", "unknown beginning '-1'"),
    _kind("priority in words", " D02,", "deny,", "first, deny,", "first, deny", "unknown beginning 'first'"),
    _kind("no separator", " D02,", "deny,", "deny", "deny", "unknown beginning 'deny      D02'"),
    # words
    _kind("unknown role", " D02,", "auditor,", "chief,", "chief", "unknown role 'chief'"),
    _kind("misspelt role", " D02,", "auditor,", "auditer,", "auditer", "unknown role 'auditer'", "auditor"),
    _kind("role in another case", " D02,", "auditor,", "Auditor,", "Auditor", "unknown role 'Auditor'", "auditor"),
    _kind("misspelt action", " D07,", "person.browse,", "person.brwose,", "person.brwose", "unknown action", "person.browse"),
    _kind("pattern for an action", " D07,", "person.browse,", "person.*,", "person.*", "unknown action 'person.*'"),
    _kind("unknown purpose", " D06,", "R,", "r,", "r,  ", "unknown purpose 'r'", "R"),
    _kind("misspelt category", " M09,", "confidential_address,", "confidential_adress,", "confidential_adress", "unknown category", "confidential_address"),
    _kind("standing that never arrives", " D07,", "assigned,", "closed,  ", "closed", "unknown standing 'closed'"),
    _kind("misspelt relation", " D01,", "conflict,", "conflit,", "conflit", "unknown relation 'conflit'", "conflict"),
    _kind("approval in another word", " P02,", "granted,", "yes,    ", "yes", "unknown approval 'yes'"),
    _kind("star for any", " D01,", "any,        any,   ", "*,          any,   ", "*", "unknown role '*'"),
    _kind("Any", " D01,", "any,        any,   ", "Any,        any,   ", "Any", "unknown role 'Any'", "any"),
    _kind("negation", " D02,", "auditor,", "!auditor,", "!auditor", "unknown role '!auditor'", "auditor"),
    _kind("Cyrillic o", " D02,", "auditor,", "audit\u043er,", "audit\u043er", "holds CYRILLIC SMALL LETTER O"),
    _kind("zero-width space", " D02,", "auditor,", "aud\u200bitor,", "\u200b", "invisible character U+200B (ZERO WIDTH SPACE)"),
    _kind("soft hyphen", " D02,", "auditor,", "aud\u00aditor,", "\u00ad", "invisible character U+00AD (SOFT HYPHEN)"),
    _kind("byte order mark within", " D02,", "deny,", "\ufeffdeny,", "\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
    _kind("right-to-left override", " D02,", "auditor,", "\u202eauditor,", "\u202e", "RIGHT-TO-LEFT OVERRIDE"),
    _kind("letter in pieces (NFD)", " D02,", "log and", f"log{NFD} and", NFD[1], "a letter is written in pieces (not NFC)"),
    _kind("no-break space", " D02,", "auditor, ", "auditor,\u00a0", "\u00a0", "invisible character U+00A0 (NO-BREAK SPACE)"),
    _kind("tab", " D02,", "auditor, ", "auditor,\t", "\t", "invisible character U+0009"),
    _kind("NUL", " D02,", "auditor,", "aud\0itor,", "\0", "a carriage return or NUL"),
    _kind("carriage return that hides a row", " D02,", "deny,", "# x\rdeny,", "\r", "a carriage return or NUL"),
    _kind("line separator that hides a row", " D02,", "deny,", "# x\u2028deny,", "\u2028", "LINE SEPARATOR"),
    # quotes and brackets
    _kind("quoted field", " D02,", "auditor,", '"auditor",', '"auditor', "'\"' is not allowed"),
    _kind("single quotes", " D02,", "auditor,", "'auditor',", "'auditor'", "unknown role", "auditor"),
    _kind("quoted comma", " D02,", "log and", '"log, and"', '"log', "'\"' is not allowed"),
    _kind("bracket that opens", " D02,", "log and", "(log and", "(", "'(' is not allowed"),
    _kind("bracket that closes", " D02,", "log and", "log) and", ")", "')' is not allowed"),
    _kind("code in a cell", " D02,", "auditor,", "eval(1000**9),", "(1000", "'(' is not allowed"),
    _kind("continued line", " D02,", "never a record", "never a record \\", "\\", "'\\' is not allowed"),
    # rules and groups
    _kind("rule name twice", " D02,", "D02,", "D01,", "D01", "rule D01 stands already on line"),
    _kind("group of another column", " D02,", "auditor,", "protected,", "protected", "unknown role 'protected'"),
    _kind("unknown group", "g2, witness,", "protected", "protectd", "protectd", "unknown group of category words", "protected"),
    _kind("unknown member of a group", "g2, witness,", "witness", "witnes", "witnes", "unknown category 'witnes'", "witness"),
    _kind("grouping twice", "g2, witness,", "witness", "victim", "victim", "'victim' is in 'protected' already"),
    _kind("group with a domain", "g2, witness,", "protected", "protected, domain1", "domain1", "4 cells where 3 belong"),
    _kind("grouping without its group", "g2, witness,", ", protected", "", END, "2 cells where 3 belong"),
    _kind("grouping section that is none", "g2, witness,", "g2,", "g7,", "g7", "unknown beginning 'g7'", "g"),
    _kind("grouping section g0", "g2, witness,", "g2,", "g0,", "g0", "unknown beginning 'g0'", "g"),
    _kind("grouping section G", "g, patrol, officer", "g,", "G,", "G", "unknown beginning 'G'", "g"),
    _kind("group within a group", "g2, witness,", "witness", "approvable", "approvable", "unknown category 'approvable'"),
    _kind("none in a group", "g2, witness,", "witness", "none", "none", "unknown category 'none'"),
    _kind("any in a group", "g2, witness,", "witness", "any", "any", "unknown category 'any'"),
    # rule names and reasons
    _kind("rule name in lower case", " D02,", "D02,", "d02,", "d02", "'d02' is no rule name"),
    _kind("rule name of the engine", " D02,", "D02,", "default,", "default", "'default' is no rule name"),
    _kind("reason of signs", " D02,", "auditors read the log and never a record", "----", "----", "says nothing that can be read"),
    _kind("typographic apostrophe", " D02,", "auditors", "auditor\u2019s", "\u2019", "'\u2019' is not allowed in 'because'"),
    _kind("typographic quotes", " D02,", "auditor,", "\u201cauditor\u201d,", "\u201cauditor", "holds LEFT DOUBLE QUOTATION MARK"),
    _kind("backtick", " D02,", "auditor,", "`auditor`,", "`auditor", "'`' is not allowed"),
    _kind("square bracket", " D02,", "auditor,", "[auditor],", "[", "'[' is not allowed"),
    _kind("brace", " D02,", "auditor,", "{auditor},", "{", "'{' is not allowed"),
    _kind("zero-width joiner", " D02,", "auditor,", "aud\u200ditor,", "\u200d", "ZERO WIDTH JOINER"),
    _kind("vertical tab", " D02,", "deny,", "# x\vdeny,", "\v", "invisible character U+000B"),
    _kind("form feed", " D02,", "deny,", "# x\fdeny,", "\f", "invisible character U+000C"),
    _kind("next line", " D02,", "deny,", "# x\u0085deny,", "\u0085", "invisible character U+0085"),
    _kind("paragraph separator", " D02,", "deny,", "# x\u2029deny,", "\u2029", "PARAGRAPH SEPARATOR"),
    _kind("ideographic space", " D02,", "auditor, ", "auditor,\u3000", "\u3000", "IDEOGRAPHIC SPACE"),
    _kind("endless line", " D02,", "never a record", "never a record" + " at all" * 90, LONG, "the line is longer than"),
    # obligations
    _kind("obligation that nobody performs", " D01,", "tell=withheld", "call=chief", "call=chief", "unknown obligation 'call=chief'"),
    _kind("obligation without a value", " M06,", "mask=ssn", "mask    ", "mask    ", "unknown obligation 'mask'"),
    _kind("obligations end in a semicolon", " H01,", "notify=supervisor/1h", "notify=supervisor/1h;", "notify=", "unknown obligation ''"),
    _kind("mask of nothing", " M06,", "mask=ssn", "mask=   ", "mask=   ", "a field class is missing"),
    _kind("mask of an unknown class", " M06,", "mask=ssn", "mask=snn", "mask=snn", "unknown field class 'snn'", "ssn"),
    _kind("mask row without a mask", " M06,", "mask=ssn, ", "tell=withheld, ", "tell=withheld", "a mask row says what it masks"),
    _kind("mask on a permit", " P01,", "none,                                            ord", "mask=ssn, ord", "mask=ssn", "a permit row masks nothing"),
    _kind("mask on a deny", " D02,", "none, ", "mask=ssn, ", "mask=ssn", "a deny row masks nothing"),
    _kind("mask twice", " M01,", "mask=ssn+", "mask=ssn; mask=", "mask=ssn;", "'mask' is there twice"),
    _kind("class twice", " M01,", "ssn+financial", "ssn+ssn", "mask=ssn+ssn", "'mask' names a word twice"),
    _kind("notify nobody known", " H01,", "notify=supervisor/1h", "notify=chief", "notify=chief", "unknown role 'chief'"),
    _kind("tell on a conceal", " H01,", "notify=supervisor/1h", "tell=withheld", "tell=withheld", "a conceal row tells of nothing withheld"),
    _kind("tell what", " D01,", "tell=withheld", "tell=name", "tell=name", "unknown word after tell= 'name'"),
    # rows that are safe only while stricter rows are there
    _kind("permit for any role", " P01,", "reader, ", "any,    ", "any,    ", "a permit row may not say 'any' role"),
    _kind("permit for any action", " P01,", "query, ", "any,   ", "any,   ", "a permit row may not say 'any' action"),
    _kind("permit for any purpose", " P01,", "operational,", "any,", "any,", "a permit row may not say 'any' purpose"),
    _kind("permit for any category", " P01,", "none,                 pre", "any,                  pre", "any,  ", "a permit row may not say 'any' category"),
    _kind("permit for any relation", " P01,", "present,  none,", "present,  any, ", "any, ", "a permit row may not say 'any' relation"),
    _kind("permit for any approval", " P02,", "granted,", "any,    ", "any,    ", "a permit row may not say 'any' approval"),
    _kind("mask for any relation", " M01,", "present,  none,", "present,  any, ", "any, ", "a mask row may not say 'any' relation"),
    _kind("escalate for ever", " E04,", "none,      none,     none,", "none,      any,      none,", "any,  ", "an escalate row asks for an approval", ""),
)  # fmt: skip


def _line(rule: str) -> str:
    return next(line for line in POLICY.split("\n") if f" {rule}," in line and not line.startswith("#"))


def _without(*rules: str) -> str:
    return "".join(f"{line}\n" for line in POLICY.splitlines() if line not in {_line(rule) for rule in rules})


def _number(rule: str) -> int:
    return POLICY.split("\n").index(_line(rule)) + 1


ROWS_ONLY: Final = "".join(f"{line}\n" for line in POLICY.splitlines() if line.startswith("g"))
LAST: Final = len(POLICY.splitlines())
LATIN: Final = POLICY.replace("auditors read", "auditors l\u00e9sen", 1)

# kind, the whole file, line, column, what it says
WHOLE_FILES: Final[tuple[tuple[str, bytes, int, int, str], ...]] = (
    ("empty file", b"", 1, 1, "the file is empty"),
    ("blanks only", b" \n\n", 1, 1, "the file is empty"),
    ("comments only", b"# nothing\n", 1, 1, "the file has no rows"),
    ("groups only", ROWS_ONLY.encode(), 1, 1, "the file has no rows"),
    ("byte order mark", b"\xef\xbb\xbf" + POLICY.encode(), 1, 1, "the file begins with a byte order mark"),
    ("UTF-16", POLICY.encode("utf-16"), 1, 1, "the file begins with a byte order mark"),
    ("UTF-16 without a mark", POLICY.encode("utf-16-le"), 1, 2, "a carriage return or NUL"),
    ("Latin-1", LATIN.encode("latin-1"), _number("D02"), _line("D02").index("read") + 2, "byte 0xe9 is not UTF-8"),
    ("cut off within a line", POLICY.rstrip("\n")[:-9].encode(), LAST, len(POLICY.splitlines()[-1]) - 9 + 1, "the last line does not end"),
    ("carriage returns for line ends", POLICY.replace("\n", "\r").encode(), 1, POLICY.index("\n") + 1, "a carriage return or NUL"),
    ("exact duplicate of a row", f"{POLICY}{_line('D02')}\n".encode(), LAST + 1, _line("D02").index("D02") + 1, f"rule D02 stands already on line {_number('D02')}"),
    ("exact duplicate of a group", f"{POLICY}g2, victim, protected\n".encode(), LAST + 1, 5, "'victim' is in 'protected' already"),
    ("too large", b"#" * MAX_BYTES + b"\n" + POLICY.encode(), 1, 1, "the file is larger than"),
    ("too many rows", (POLICY + "".join(f"deny, Z{n}, auditor, any, any, any, any, any, any, none, too many\n" for n in range(MAX_ROWS))).encode(), 1, 1, "more than"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> PolicySet:
    """Return the shipped policy."""
    return load_policies(SHIPPED)


def _told(shipped: PolicySet, raw: bytes) -> list[tuple[int, int, str, str]]:
    with pytest.raises(DocumentInvalid) as caught:
        parse_policy(Path("policy.csv"), raw, words=shipped.words, fields=shipped.fields.keys())
    return [(each.line, each.column, each.message, each.help or "") for each in caught.value.mistakes]


@pytest.mark.parametrize("kind", IN_A_LINE, ids=lambda kind: kind.name)
def test_a_malformed_line_is_refused_where_it_is_wrong(shipped: PolicySet, kind: Kind) -> None:
    """Line and column, what is wrong, and the nearest word."""
    text, line, column = kind.spoiled(POLICY)

    told = _told(shipped, text.encode())

    assert (line, column) in {(each[0], each[1]) for each in told}, told
    message, hint = next((each[2], each[3]) for each in told if each[:2] == (line, column))
    assert kind.says in message
    assert not kind.nearest or hint == f"did you mean '{kind.nearest}'?"


@pytest.mark.parametrize(("raw", "line", "column", "says"), [kind[1:] for kind in WHOLE_FILES], ids=[k[0] for k in WHOLE_FILES])
def test_a_malformed_file_is_refused_where_it_is_wrong(
    shipped: PolicySet, raw: bytes, line: int, column: int, says: str
) -> None:
    """A file that is no policy as a whole says where that shows first."""
    told = _told(shipped, raw)

    assert told[0][:2] == (line, column)
    assert says in told[0][2]


# kind, what becomes what in model.conf, where the first line that differs begins
MODELS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("p loses eft", "p = priority, eft, outcome", "p = priority, outcome", "p = "),
    ("column named prio", "p = priority, eft", "p = prio, eft", "p = "),
    ("deny overrides", "e = priority(p.eft) || deny", "e = !some(where (p.eft == deny))", "e = "),
    ("allow overrides", "e = priority(p.eft) || deny", "e = some(where (p.eft == allow))", "e = "),
    ("a second effect", "|| deny", "|| deny\ne2 = some(where (p.eft == allow))", "e2 = "),
    ("matcher typo r.catt", "r.category == p.category", "r.catt == p.category", "m = "),
    ("matcher without its backslash", " && \\\n", " &&\n", "m = "),
    ("semicolon between conditions", ") && \\\n", ") ; \\\n", "m = "),
    ("or for and", ") && \\\n", ") || \\\n", "m = "),
    ("attribute never compared", '(p.approval == "any" || r.approval == p.approval) && \\\n    ', "", "m = "),
    ("matcher with !=", "r.approval == p.approval", "r.approval != p.approval", "m = "),
    ("matcher with eval", "m = ", "m = eval(p.rule) && ", "m = "),
    ("a second matcher", "\n[matchers]", "\n[matchers]\nm2 = true", "m2 = "),
    ("a group too few", "g6 = _, _\n", "", "[policy_effect]"),
    ("groups with domains", "g6 = _, _", "g6 = _, _, _", "g6 = "),
    ("sections in another order", "[request_definition]", "[policy_definition]", "[policy_definition]"),
)


@pytest.mark.parametrize(("old", "new", "at"), [kind[1:] for kind in MODELS], ids=[kind[0] for kind in MODELS])
def test_another_model_is_refused_at_the_line_that_differs(old: str, new: str, at: str) -> None:
    """A model is code: whatever differs in more than comments and spacing stops the load, with what belongs there."""
    assert old in MODEL
    text = MODEL.replace(old, new, 1)

    with pytest.raises(DocumentInvalid) as caught:
        check_model(Path("model.conf"), text.encode())

    (mistake,) = caught.value.mistakes
    line = next(number for number, each in enumerate(text.split("\n"), start=1) if each.startswith(at))
    assert (mistake.line, mistake.column) == (line, 1)
    assert (mistake.help or "").startswith("expected: ")


@pytest.mark.parametrize("raw", [b"", b"\xef\xbb\xbf" + MODEL.encode(), MODEL.encode()[:-20]], ids=["empty", "mark", "cut off"])
def test_a_model_that_is_no_text_is_refused(raw: bytes) -> None:
    """An empty model, one with a byte order mark and one that was cut off stop the load."""
    with pytest.raises(DocumentInvalid, match=r"model\.conf:\d+:\d+: "):
        check_model(Path("model.conf"), raw)


# kind, the text, and why it is harmless: none of them changes a ruling
HARMLESS: Final[tuple[tuple[str, str, str], ...]] = (
    ("CRLF", POLICY.replace("\n", "\r\n"), "a line ends in LF or in CRLF"),
    ("blank lines", POLICY.replace("\n", "\n\n"), "an empty line says nothing"),
    ("blanks around cells", POLICY.replace(",", "  ,  "), "blanks around a cell are not part of it"),
    ("lines in another order", "\n".join(reversed(POLICY.strip().split("\n"))) + "\n", "the strictest row decides, wherever it stands"),
    ("a tie", POLICY + "permit, Z01, auditor, query, operational, none, any, none, none, none, as D02 but for the outcome\n", "of two rows that match alike the stricter one decides"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), [kind[1:] for kind in HARMLESS], ids=[kind[0] for kind in HARMLESS])
def test_a_harmless_kind_changes_no_ruling(shipped: PolicySet, text: str, why: str) -> None:
    """What is not refused is decided in every question like the file as it was."""
    sheet = parse_policy(Path("policy.csv"), text.encode(), words=shipped.words, fields=shipped.fields.keys())
    lattice = Lattice(sheet, shipped.words)

    for facts in lattice.cells():
        assert ruling_of(lattice.matching(facts)) == ruling_of(shipped.lattice.matching(facts)), why


@pytest.mark.parametrize("kept", ["H07", "D01", "D07", "E07", "M05", "M19", "P03"])
def test_a_file_cut_off_between_rows_opens_nothing(shipped: PolicySet, kept: str) -> None:
    """It cannot be told from a file that ends there; but permits name what they permit, so lost rows answer nobody more."""
    text = POLICY[: POLICY.index(_line(kept))] + _line(kept) + "\n"
    sheet = parse_policy(Path("policy.csv"), text.encode(), words=shipped.words, fields=shipped.fields.keys())
    lattice = Lattice(sheet, shipped.words)

    for facts in shipped.lattice.cells():
        assert not opens(ruling_of(shipped.lattice.matching(facts)), ruling_of(lattice.matching(facts))), facts


@pytest.mark.parametrize("rule", ["H01", "D01", "D02", "E01", "P01"])
def test_a_lost_row_opens_nothing(shipped: PolicySet, rule: str) -> None:
    """A row taken out, which stock Casbin and a strict reader alike take for a policy, answers nobody more."""
    sheet = parse_policy(Path("policy.csv"), _without(rule).encode(), words=shipped.words, fields=shipped.fields.keys())
    lattice = Lattice(sheet, shipped.words)
    rulings = [(ruling_of(shipped.lattice.matching(f)), ruling_of(lattice.matching(f))) for f in shipped.lattice.cells()]

    assert any(before != after for before, after in rulings)
    assert not any(opens(before, after) for before, after in rulings)


@pytest.mark.parametrize("column", Facts._fields)
@pytest.mark.parametrize("word", [None, "", "VICTIM", "any", "protected"])
def test_a_question_in_no_word_of_the_policy_is_denied(shipped: PolicySet, column: str, word: str) -> None:
    """A fact that is None, empty, in another case, or a group's name matches no row in Casbin; here it never gets there."""
    facts = Facts("patrol", "person.read", "C", "none", "assigned", "none", "none")._replace(**{column: word})

    assert shipped.policy.rule(facts) == ERROR


def test_the_table_has_all_kinds() -> None:
    """At least the 71 kinds that Casbin was tried with stand here, each once."""
    names = [
        *(kind.name for kind in IN_A_LINE),
        *(kind[0] for kind in WHOLE_FILES),
        *(kind[0] for kind in MODELS),
        *(kind[0] for kind in HARMLESS),
    ]

    assert len(set(names)) == len(names) >= 71
