"""Words that are about no query in particular, and how words are compared: without endings, accents and disguises."""

from __future__ import annotations

import unicodedata
from typing import Final

LONGEST: Final = 40
"""Letters; a longer word is none, and is not looked at further."""
_WORTH_JOINING: Final = 4
"""Letters; with shorter ones, refused would be ref and used."""
_WORTH_SPELLING: Final = 6

GRAMMAR: Final = """
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
OF_ANY_QUERY: Final = """
    access action activity administrative agency already approved ask asked assigned assist assistance assisting authority
    authorize authorized background bad badge basic baz because bla blah bored boredom boss business cad case cases cause check
    checks chief colleague confirm confirmation contact cop cops coworker crime criminal curiosity curious data database day
    days department deputy dept det detail details detective determine discuss discussed docket dude dummy duties duty earlier
    enforcement enquire enquiry enter entry event example field file fill find follow following foo foobar for fun general
    good guy guys help ident identification identify identifying identity important incident individual info inform
    information inquire inquiry instructed instruction interest interested interesting internal invest investigate
    investigation investigative investigator investigatory ipsum job just justice justification justified kind know known
    later law lawful legal legit legitimate lieutenant look looking lookup lorem make matter mentioned misc miscellaneous na
    name names necessary need needed nil none nosy null number numbers obtain ofc offc office officer official ongoing operation
    operational operations other pd pending people per perform performing permission person personal personnel
    placeholder police possible previous previously procedure proceed process processing program proper protocol
    provide purpose purposes pursuant query question quick qux random reason reasons record records ref refer reference regard
    regarding regular related relevant reported request requested required requirement research result return review reviewing
    routine run running safety said sample say search searching section security see sergeant service sgt shift situation
    somebody someone special specific standard state statement station stuff subject subjects super supervisor suspect system
    task tbd tell test testing thing time times todo told training try trying type undefined unit unknown update urgent usual
    validate validation various verbal verbally verification verify view want wanted whatever wondering work workflow working
    """
# The same in the languages that officers also write: investigation, official, police, reasons, check, order, case.
OF_ANY_LANGUAGE: Final = """
    akte amtlich anfrage anordnung auftrag aus dem der des die dienst dienstlich ein eine ermitteln ermittler ermittlung
    ermittlungen ermittlungsverfahren fall grund grunde grunden laufend laufende laufenden oben person personen
    personenuberprufung polizei polizeilich polizeiliche polizeilichen siehe uberprufung verdacht verfahren wegen zweck zwecke
    asunto autoridad averiguacion caso comprobacion consulta curso datos de del el en informacion investigacion investigar
    jefe la los las motivo motivos oficial oficiales orden para persona policia policial por prueba razon razones rutina
    superior trabajo verificacion verificar
    affaire au aux controle cours dans des demande donnees du enquete et hierarchie le les officiel officielle ordre personne
    policiere pour routine sur travail un une verification verifier
    atti caso controllo controlli corso dati di indagine indagini per polizia ricerca servizio ufficio verifica
    het een lopend onderzoek politie politieonderzoek van voor zaak controle dienst
    czynnosci dochodzenie postepowanie sledztwo sluzbowe sprawa
    """
_ENDINGS: Final = (
    "ations", "ation", "ating", "ative", "ators", "ator", "ated", "ates", "ate",
    "ions", "ings", "ion", "ing", "ors", "ers", "ed", "es", "or", "er", "s", "e",
)  # fmt: skip
_DIGITS_FOR_LETTERS: Final = str.maketrans("013457", "oieast")


def stem(word: str) -> str:
    """Return a word without its ending, crudely, so that investigate, investigating and investigation are one word."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def plain(text: str) -> str:
    """Return text without invisible characters, accents, width and case, so that none of them hides a word."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = (character for character in folded if unicodedata.category(character) not in {"Cf", "Mn", "Me"})
    return unicodedata.normalize("NFKC", "".join(kept)).replace("\u0131", "i")


def says_nothing(word: str) -> bool:
    """Tell whether a word could stand in any statement, also misspelt, run together with others, or with 0 for o."""
    if stem(word) in _STEMS:
        return True
    if len(word) > LONGEST:
        return False
    if not word.isalpha() and word.isascii():
        word = word.translate(_DIGITS_FOR_LETTERS)
        if stem(word) in _STEMS:
            return True
    return (len(word) >= _WORTH_SPELLING and _spelling(word) in _SPELLINGS) or (
        len(word) >= 2 * _WORTH_JOINING and _joined(word)
    )


def _spelling(word: str) -> str:
    """Return what stays when inner letters change places or are doubled: polcie is police, bussiness is business."""
    once = "".join(letter for letter, before in zip(word, " " + word, strict=False) if letter != before)
    return once[0] + "".join(sorted(once[1:-1])) + once[-1]


def _joined(word: str) -> bool:
    """Tell whether a word is several of those without the spaces; at most LONGEST squared steps."""
    reached = [True, *(False for _ in word)]
    for end in range(_WORTH_JOINING, len(word) + 1):
        reached[end] = any(reached[start] and word[start:end] in _WHOLE for start in range(end - _WORTH_JOINING + 1))
    return reached[-1]


_ALL: Final = frozenset(f"{GRAMMAR} {OF_ANY_QUERY} {OF_ANY_LANGUAGE}".split())
_STEMS: Final = frozenset(map(stem, _ALL))
_WHOLE: Final = frozenset(word for word in _ALL if len(word) >= _WORTH_JOINING)
_SPELLINGS: Final = frozenset(_spelling(word) for word in _ALL if len(word) >= _WORTH_SPELLING)
GRAMMAR_STEMS: Final = frozenset(map(stem, GRAMMAR.split()))
