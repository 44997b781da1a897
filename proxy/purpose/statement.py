"""Whether a statement says something. Few rules, each with its reason, and no list of forbidden sentences.

Milwaukee's log held one word, 179 times; Estonia's often just a file number. A statement is there so that a supervisor,
months later, can tell what was going on without asking anybody. So what counts is the number of distinct words that are
about *this* query, after everything has been taken away that would be true of any query:

1. words of grammar (the, for, this, because);
2. words that every query could claim (investigation, police, official, check, needed, person, information);
3. the case number again, other numbers, and the code's own label: the header says them already;
4. noise: keyboard walks, repeated letters, letters without a vowel, two alphabets in one word;
5. the same word again, in whatever ending.

What remains must be as many words as the code asks for (three, unless it says otherwise); a statement of which a third or
more is noise says nothing whatever the rest is. Honest terse statements pass: "stopped for no plates, driver has no licence"
leaves stopped, plates, driver, licence. Whether a statement is *true* no rule can tell; the verified case does most of that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.purpose.words import GRAMMAR_STEMS, LONGEST, plain, says_nothing, stem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WORDS: Final = 3
NEAR: Final = 4
"""With fewer words, one exchanged makes another statement."""
MOST_SIGNED: Final = 24
EXAMPLE: Final = "stopped for no plates, driver has no licence"
QUESTION_EXAMPLE: Final = "complaint of the mayor, her address was posted online"
EMERGENCY_EXAMPLE: Final = "active shooter at the school, suspect inside"
OF_ANY_EMERGENCY: Final = (
    "asap", "circumstance", "circumstances", "critical", "danger", "dangerous", "emergency", "exigency", "exigent", "immediate",
    "imminent", "instantly", "life", "lives", "quick", "quickly", "risk", "serious", "threat", "urgency", "urgent",
)  # fmt: skip

_NOISE_WORDS: Final = frozenset(
    {"lorem", "ipsum", "foo", "foobar", "baz", "qux", "blah", "blahblah", "bla", "asd", "asdf", "qwerty"}
)
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "qwertzuiop", "yxcvbnm")
_CORNERS: Final = frozenset(frozenset(row[start : start + 3]) for row in _ROWS for start in range(len(row) - 2))
"""Three keys side by side: a longer word of them and no others is drummed, not written."""
_WALKS: Final = frozenset(
    row[start : start + 4] for line in _ROWS for row in (line, line[::-1]) for start in range(len(row) - 3)
) - {"erty", "wert", "trew", "ertz", "rstu", "mnop"}  # property, strewn, Hertz, overstuffed, limnophilous

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_REPEATED: Final = re.compile(r"(.)\1\1|\A(..?.?)\2{2,}\Z")
_VOWEL: Final = re.compile(r"[aeiouy]")
_NOT_DIGITS: Final = re.compile("[^0-9]+")
_COUNTED: Final = "01234567890 9876543210"
_LATIN: Final = re.compile(r"[a-z]")
_LOOKALIKE: Final = re.compile("[\u0370-\u03ff\u0400-\u052f\u0530-\u058f\u13a0-\u13ff]")


def objection(
    statement: str,
    *,
    case: str,
    label: str,
    words: int = WORDS,
    empty: Iterable[str] = (),
    ask: Callable[[str], str] | None = None,
) -> str | None:
    """Return what is missing from a statement, as a sentence for the officer, or None when it says enough.

    ``label`` is the code's label; ``empty`` are further words that say nothing in this department (its name, its town);
    ``ask`` makes the sentence of what is missing. The sentence never repeats what was written.
    """
    ask = ask or _ask
    found = _WORD.findall(plain(statement))
    if not found:
        return ask("it holds no words")
    noise = [word for word in found if _is_noise(word)]
    if len(noise) * 3 >= len(found):
        return ask("it is not made of words")
    known = _known(case, label, empty)
    telling = {stem(word) for word in found if word not in noise and _tells(word, known)}
    more = words - len(telling)
    if more == 1 and any(_is_code(word, case) for word in found):
        return None
    if more <= 0:
        return None
    if not telling:
        return ask("it would fit any query")
    return ask(f"{more} more telling word{'s' if more > 1 else ''} at least")


def exigent_objection(statement: str, *, case: str, label: str, words: int = WORDS, empty: Iterable[str] = ()) -> str | None:
    """Return what is missing from a stated emergency, or None: words that any emergency could claim say nothing of this one."""
    return objection(statement, case=case, label=label, words=words, empty=(*empty, *OF_ANY_EMERGENCY), ask=_ask_emergency)


def question_objection(statement: str, *, case: str, label: str) -> str | None:
    """Return what is missing from the words under which somebody asks the log, or None."""
    return objection(statement, case=case, label=label, ask=_ask_question)


def signatures(statement: str) -> tuple[bytes, ...]:
    """Return the forms by which two statements are nearly the same words: they share one.

    Case, punctuation, order, endings, numbers and words of grammar make no difference, and neither does one word more, less
    or exchanged, where three others at least stay. A statement of more words than MOST_SIGNED is compared as a whole.
    """
    found = (word for word in _WORD.findall(plain(statement)) if not word.isdigit())
    words = sorted({stem(word) for word in found} - GRAMMAR_STEMS)
    whole = " ".join(words).encode()
    if not NEAR <= len(words) <= MOST_SIGNED:
        return (whole,)
    return (whole, *(" ".join(words[:place] + words[place + 1 :]).encode() for place in range(len(words))))


def _ask(missing: str) -> str:
    return f'Say what happened and who: {missing}. As in "{EXAMPLE}".'


def _ask_question(missing: str) -> str:
    return f'Say who wants to know, and what for: {missing}. As in "{QUESTION_EXAMPLE}".'


def _ask_emergency(missing: str) -> str:
    return f'Say in exigent what is happening and where: {missing}. As in "{EMERGENCY_EXAMPLE}".'


def _known(case: str, label: str, empty: Iterable[str]) -> frozenset[str]:
    said = _WORD.findall(plain(f"{case} {label}"))
    joined = "".join(_WORD.findall(case.lower()))
    return frozenset((*map(stem, said), *(stem(plain(word)) for word in empty), joined))


def _tells(word: str, known: frozenset[str]) -> bool:
    return len(word) > 1 and not word.isdigit() and stem(word) not in known and not says_nothing(word)


def _is_code(word: str, case: str) -> bool:
    """Tell whether a number is one that officers talk in (a ten code, a section, a speed, a house), and not the case's."""
    number = word if word.isdecimal() and word.isascii() else ""
    return 2 <= len(number) <= 5 and len(set(number)) > 1 and number not in _NOT_DIGITS.sub("", case) and number not in _COUNTED


def _is_noise(word: str) -> bool:
    if len(word) > LONGEST:
        return True
    if word in _NOISE_WORDS or _REPEATED.search(word):
        return not word.isdigit() or len(word) > 8
    if len(word) > 4 and frozenset(word) in _CORNERS:
        return True
    if any(word[start : start + 4] in _WALKS for start in range(len(word) - 3)):
        return True
    if not word.isascii():
        # A Latin word with one letter of another alphabet looks like the word and is not found as it.
        return _LATIN.search(word) is not None and _LOOKALIKE.search(word) is not None
    return word.isalpha() and len(word) > 4 and _VOWEL.search(word) is None
