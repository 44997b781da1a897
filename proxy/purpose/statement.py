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
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WORDS: Final = 3
NEAR: Final = 4
"""With fewer words, one exchanged makes another statement."""
MOST_SIGNED: Final = 24
EXAMPLE: Final = "stopped for no plates, driver has no licence"

_GRAMMAR: Final = """
    a about above after again against all also although am an and any anybody anyone anything are as at be became because been
    before being below between both but by came can cannot come could did do does doing done down during each else ever every
    everybody everyone everything few for from further gave get gets getting give given go goes going gone got had has have
    having he her here hers herself hi hello him himself his how i if in into is it its itself just let like many may maybe me
    might mine more most much must my myself neither never no nobody none nor not nothing now of off ok okay on once one only
    onto or other our ours out over per please pls plz put same see shall she should since so some somebody somehow someone
    something soon still such than thank thanks that the their them then there these they thing things this those though
    through thru to today too two under until up upon us use used using very via was we well went were what whatever when where
    whether which while who whoever whom whose why will with within without would yeah yes yet you your yours via etc eg ie re
    """
_OF_ANY_QUERY: Final = """
    access action activity administrative agency already approved ask asked assigned assist assistance assisting authority
    authorize authorized background bad basic baz because bla blah bored boredom boss business cad case cases cause check
    checks chief colleague confirm confirmation contact cop cops coworker crime criminal curiosity curious data database day
    days department dept detail details detective determine discuss discussed dude dummy duties duty earlier enforcement
    enquire enquiry enter entry event example field file fill find follow following foo foobar for fun general
    good guy guys help ident identification identify identifying identity important incident individual info inform
    information inquire inquiry instructed instruction interest interested interesting internal invest investigate
    investigation investigative investigator investigatory ipsum job just justice justification justified kind know known
    later law lawful legal legit legitimate lieutenant look looking lookup lorem make matter mentioned misc miscellaneous na
    name names necessary need needed nil none nosy null number numbers obtain office officer official ongoing operation
    operational operations other pd pending people per perform performing permission person personal personnel
    placeholder police possible previous previously procedure proceed process processing program proper protocol
    provide purpose purposes pursuant query question quick qux random reason reasons record records ref refer reference regard
    regarding regular related relevant reported request requested required requirement research result return review reviewing
    routine run running safety said sample say search searching section security see sergeant service sgt shift situation
    somebody someone special specific standard state statement station stuff subject subjects super supervisor suspect system
    task tbd tell test testing thing time times todo told training try trying type undefined unit unknown update urgent usual
    validate validation various verbal verbally verification verify view want wanted whatever wondering work workflow working
    """
_NOISE_WORDS: Final = frozenset(
    {"lorem", "ipsum", "foo", "foobar", "baz", "qux", "blah", "blahblah", "bla", "asd", "asdf", "qwerty"}
)
_ROWS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz", "qwertzuiop", "yxcvbnm")
_WALKS: Final = frozenset(
    row[start : start + 4] for line in _ROWS for row in (line, line[::-1]) for start in range(len(row) - 3)
) - {"erty", "wert", "trew", "ertz", "rstu", "mnop"}  # property, strewn, Hertz, overstuffed, limnophilous
_ENDINGS: Final = (
    "ations", "ation", "ating", "ative", "ators", "ator", "ated", "ates", "ate",
    "ions", "ings", "ion", "ing", "ors", "ers", "ed", "es", "or", "er", "s", "e",
)  # fmt: skip

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_REPEATED: Final = re.compile(r"(.)\1\1|\A(..?.?)\2{2,}\Z")
_VOWEL: Final = re.compile(r"[aeiouy]")
_LATIN: Final = re.compile(r"[a-z]")
_LOOKALIKE: Final = re.compile("[\u0370-\u03ff\u0400-\u052f\u0530-\u058f\u13a0-\u13ff]")


def stem(word: str) -> str:
    """Return a word without its ending, crudely, so that investigate, investigating and investigation are one word."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


_GRAMMAR_STEMS: Final = frozenset(stem(word) for word in _GRAMMAR.split())
_EMPTY_STEMS: Final = frozenset(stem(word) for word in (_GRAMMAR + _OF_ANY_QUERY).split())


def objection(statement: str, *, case: str, label: str, words: int = WORDS, empty: Iterable[str] = ()) -> str | None:
    """Return what is missing from a statement, as a sentence for the officer, or None when it says enough.

    ``label`` is the code's label; ``empty`` are further words that say nothing in this department (its name, its town).
    The sentence never repeats what was written.
    """
    found = _WORD.findall(_plain(statement))
    if not found:
        return f"The statement holds no words. {_ask()}"
    noise = [word for word in found if _is_noise(word)]
    if len(noise) * 3 >= len(found):
        return f"The statement is not made of words. {_ask()}"
    known = _known(case, label, empty)
    telling = {
        stem(word) for word in found if word not in noise and len(word) > 1 and not word.isdigit() and stem(word) not in known
    }
    if len(telling) >= words:
        return None
    if not telling:
        return f"The statement would fit any query: beyond the code and the case it says nothing. {_ask()}"
    more = words - len(telling)
    return f"The statement is too general: {more} more telling word{'s' if more > 1 else ''} at least. {_ask()}"


def signatures(statement: str) -> tuple[bytes, ...]:
    """Return the forms by which two statements are nearly the same words: they share one.

    Case, punctuation, order, endings, numbers and words of grammar make no difference, and neither does one word more, less
    or exchanged, where three others at least stay. A statement of more words than MOST_SIGNED is compared as a whole.
    """
    found = (word for word in _WORD.findall(_plain(statement)) if not word.isdigit())
    words = sorted({stem(word) for word in found} - _GRAMMAR_STEMS)
    whole = " ".join(words).encode()
    if not NEAR <= len(words) <= MOST_SIGNED:
        return (whole,)
    return (whole, *(" ".join(words[:place] + words[place + 1 :]).encode() for place in range(len(words))))


def _ask() -> str:
    return f'Say what happened, who it concerns and why this lookup is needed, as in: "{EXAMPLE}".'


def _plain(text: str) -> str:
    """Return text without invisible characters and width or case variants, so that none of them hides a word."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character) != "Cf")


def _known(case: str, label: str, empty: Iterable[str]) -> frozenset[str] | set[str]:
    said = _WORD.findall(f"{case} {label}".lower())
    joined = "".join(_WORD.findall(case.lower()))
    return _EMPTY_STEMS.union((stem(word) for word in said), (stem(word.lower()) for word in empty), (joined,))


def _is_noise(word: str) -> bool:
    if word in _NOISE_WORDS or _REPEATED.search(word):
        return not word.isdigit() or len(word) > 8
    if any(word[start : start + 4] in _WALKS for start in range(len(word) - 3)):
        return True
    if not word.isascii():
        # A Latin word with one letter of another alphabet looks like the word and is not found as it.
        return _LATIN.search(word) is not None and _LOOKALIKE.search(word) is not None
    return word.isalpha() and len(word) > 4 and _VOWEL.search(word) is None
