"""Statements that say something, and statements that say nothing, as officers write them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.purpose.statement import EXAMPLE, objection, signatures
from proxy.purpose.words import stem
from tests.bench.statements import judged, score, statements

CASE = "26-004217"
LABEL = "Criminal justice"
FLOOR_RECALL = 0.97
MOST_WRONGED = 2

# One a line, as they might be typed at a terminal.
GOOD = """
stopped for no plates, driver has no licence
missing juvenile last seen at this address
plate on stolen car seen at Main/5th
DUI stop, refused ID
fled from traffic stop northbound on I-35
caller says ex-husband is outside with a gun
warrant pickup, female hiding in basement
found wallet, need owner's phone to return it
hit and run, witness got partial plate
unconscious male at bus stop, looking for next of kin
shoplifter gave false name at Target
landlord dispute, tenant claims lease is forged
abandoned vehicle blocking hydrant
expired tags, driver nervous, two passengers
burglary victim names cousin as thief
trespasser sleeping in church, won't leave
domestic, wife has visible bruises, husband left on foot
overdose at motel room 12, ID from purse
car matches BOLO from robbery last night
kid found wandering alone near school
bar fight, one stabbed, other ran
serving protection order tonight
neighbor heard shots, grey sedan left fast
school called about threat on Snapchat
probation violator seen at gas station
parole check before raid on Elm Street
vehicle parked three days with broken window
bicycle theft, serial traced to pawn shop
counterfeit bills passed at diner, clerk has plate
witness statement from robbery, need to reach her again
driver ran red light and hit pedestrian
elderly man with dementia missing since 4pm
suspicious van circling playground
bail hearing tomorrow, prior DV charges wanted by prosecutor
applicant for carry permit, fingerprints on file
booking: prisoner refuses to give date of birth
plate reader hit, stolen from Topeka
owner of dog that bit mail carrier
arson scene, car left running behind warehouse
threatening voicemails to clerk of court
drunk driver asleep at light, keys in ignition
identity theft victim disputes loan in her name
recovered handgun, tracing registered buyer
noise complaint turned into assault
evicted tenant returned and broke door
subpoena service, moved from last known address
jail visitor gave two different birthdays
fatal crash, notifying family of passenger
catalytic converter thefts, white Tahoe on camera
child custody exchange, father did not show
stalking report: same truck outside victim's house
graffiti tagger caught by store guard
welfare check, mail piling up, no answer
tow company needs registered owner of wreck
fugitive from Jackson County staying with sister
possible human trafficking at spa, IDs look fake
scam call, victim mailed gift cards to this address
mental crisis, brother says he has knives
Fahrer ohne Führerschein nach Unfall geflüchtet
conductor sin licencia, choque con peatón
robbery suspect identified by victim from yearbook
stop for speeding, smells of marijuana
BOLO silver Honda KS plate 123ABC
no front plate, tint too dark
refused to sign citation, gave wrong DOB
10-50 J1, veh overturned, driver trapped
UTL suspect in 211, vic ID'd him
DV call, RP says husband drunk
dog bite, need owner
reckless driver called in by RP
open door, alarm at 5 Oak St
juvenile curfew violation
violated protection order, texts ex-wife
unconscious man in park bench
property damage, fence hit by pickup
AAA tow truck needs registered owner of wreck
purse snatched by woman in red coat
"""
BAD = """
investigation
Investigation.
police business
official police business
official police business only
test
testing testing testing
asdf
asdf asdf asdf asdf
qwertyuiop
qwer tyui zxcv
aaaaaaaa
aaa bbb ccc ddd
xxxxxx
26-004217
case 26-004217
see case 26-004217
per case number 26 004217
26004217
Criminal justice
criminal justice purposes
for criminal justice purposes only
ongoing investigation
ongoing criminal investigation of a suspect
general investigation
routine check
routine records check
background check
running name
running a name for an officer
need info
need information about this person
need to know
checking something
just checking
just because
because I need it
because my supervisor told me to
as requested by supervisor
as requested
work related
law enforcement purposes
law enforcement duties
official duties
official use only
for official use
police work
case work
casework investigation inv
N/A
n/a n/a n/a
none
.
...
???
!!!! ----
1234567890
12345 67890 11111
123 456 789
curious
personal reasons
lookup
look up person
person lookup query for case
query
required
see above
see report
see file for details
blah blah blah
foo bar baz
lorem ipsum dolor sit amet
sdkfj wlkrt qpwxz mnbvc
t e s t i n g
investigating an investigation to investigate
in reference to an incident
incident report follow up
suspect
suspect search
subject of investigation
person of interest
identify subject
to identify a subject in an investigation
verifying information
verify identity of person
misc
miscellaneous police inquiry
plate
plate check
traffic
traffic stop
stop
warrant check
DUI
stolen vehicle
asked by sgt
dispatch
hahahaha hahaha haha
ok ok ok ok
police police police police
good reason
legitimate law enforcement reason
I am a police officer
I am allowed to do this
none of your business
whatever
need it for the thing we discussed yesterday
wanted to see who lives here
doing my job as usual
per sergeant's instructions given earlier today
supervisor approval already given verbally
following up on previous inquiry
my partner asked me to look
"""

DISGUISED = (
    "investi\u200bgation of the su\u200bspect",
    "\u0456nvest\u0456gat\u0456on of the p\u0435rson subj\u0435ct",
    "\uff29\uff2e\uff36\uff25\uff33\uff34\uff29\uff27\uff21\uff34\uff29\uff2f\uff2e",
    "INVESTIGATION, INVESTIGATING, INVESTIGATIVE!",
    "i n v e s t i g a t i o n",
    "investigation investigation-investigation/investigation",
    "case_26_004217 26.004217 26/004217",
)


def refusal(statement: str, *, words: int = 3, empty: tuple[str, ...] = (), label: str = LABEL) -> str | None:
    """Return what the rules say under an ordinary code and case."""
    return objection(statement, case=CASE, label=label, words=words, empty=empty)


def test_there_are_enough_examples() -> None:
    """The rules are held against at least sixty statements of either sort."""
    assert len(GOOD.splitlines()) >= 60
    assert len(BAD.splitlines()) >= 60


@pytest.mark.parametrize("statement", [line for line in GOOD.splitlines() if line])
def test_an_honest_statement_passes_however_terse(statement: str) -> None:
    """An officer who says what happened is not made to say it at length."""
    assert refusal(statement) is None


@pytest.mark.parametrize("statement", [*(line for line in BAD.splitlines() if line), *DISGUISED])
def test_a_statement_that_fits_any_query_is_refused(statement: str) -> None:
    """Boilerplate, the case number, the label, noise and too few words are refused, in any disguise, with an example."""
    said = refusal(statement)

    assert said is not None
    assert said.startswith("Say what happened and who: ")
    assert said.endswith(f'As in "{EXAMPLE}".')


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("...", "no words"),
        ("asdf asdf asdf", "not made of words"),
        ("investigation", "fit any query"),
        ("stolen vehicle", "1 more telling word at least"),
        ("aaaaaaa bbbbbbb", "not made of words"),
        ("suspicious check", "2 more telling words at least"),
    ],
)
def test_the_refusal_says_what_is_missing(statement: str, says: str) -> None:
    """Each rule has its own sentence, and none repeats the officer's words."""
    said = refusal(statement) or ""

    assert says in said
    assert statement not in said.replace("...", statement if statement != "..." else "")


@pytest.mark.parametrize("statement", ["", "...", "asdf asdf", "investigation", "stolen vehicle", "curious", "x" * 5000])
def test_a_refusal_helps_in_five_words(statement: str) -> None:
    """What to do stands first, in five words; all of it is read at a glance, whatever was sent."""
    asked, _, rest = (refusal(statement) or "").partition(":")

    assert asked.split() == ["Say", "what", "happened", "and", "who"]
    assert len(asked) + len(rest) < 110


@pytest.mark.parametrize(
    "statement",
    [
        "officialbusiness policematter lawfulpurpose",
        "1nvest1gation 0fficial bu5iness p0lice",
        "inv\u00e9stig\u00e2tion \u00f6fficial bus\u00efness p\u00f6lice",
        "offficial buisness polcie matterr",
        "laufende dienstliche Ermittlung, polizeiliche \u00dcberpr\u00fcfung",
        "verificaci\u00f3n por orden del jefe, asunto policial en curso",
        "wqewqe qweqwe wqeqwe",
        "docket number 2026 badge 1001 unit",
        "supercalifragilisticexpialidociousandmoreofthesame" * 3,
    ],
)
def test_empty_words_in_disguise_stay_empty(statement: str) -> None:
    """Run together, misspelt, with digits or accents, in another language, drummed: it adds nothing."""
    assert refusal(statement) is not None


@pytest.mark.parametrize("statement", ["driver 23152, no license", "459 alarm, jewelry", "male 5150 bridge"])
def test_the_numbers_officers_talk_in_tell_something(statement: str) -> None:
    """A section or a ten code says as much as one word; it does not say all of it, and the case's own number says nothing."""
    assert refusal(statement) is None
    assert refusal("male 5150") is not None
    assert refusal("male bridge 4217") is not None
    assert refusal("male bridge 1234") is not None
    assert refusal("male bridge 7") is not None


def test_real_words_of_three_keys_or_two_words_are_words() -> None:
    """Refused is no ref that was used, booking no looking, a contract no contact."""
    for word in ("refused", "booking", "contract", "guard", "casino", "resting", "poppy", "dresses", "tweeter"):
        assert refusal(f"{word} garage ladder") is None, word


def test_hostile_text_costs_no_more_than_other_text() -> None:
    """As long as the header lets a statement be, whatever it is made of: milliseconds."""
    texts = (
        "a" * 1000,
        "ab" * 500,
        "off" * 333,
        ("inform" * 6 + " ") * 27,
        "policepolic " * 83,
        "\u00e9\u0301" * 500,
        "0" * 1000,
        "12 " * 333,
    )
    began = time.process_time()
    for text in texts:
        refusal(text)
        signatures(text)

    assert time.process_time() - began < 0.5


def test_the_labelled_list_is_judged_as_well_as_it_was() -> None:
    """On the part that nobody tunes on, what the README says is a floor; the list is large, in two parts, each line once."""
    listed = [*statements("tune"), *statements("report")]
    found = score(judged(statements("report")))

    assert len({each.statement for each in listed}) == len(listed) >= 300
    assert all(sum(each.bad is bad for each in statements(part)) >= 100 for part in ("tune", "report") for bad in (True, False))
    assert found.recall >= FLOOR_RECALL
    assert found.wronged <= MOST_WRONGED


def test_the_label_of_a_code_is_no_statement() -> None:
    """Saying the code again in words says nothing."""
    assert refusal("public housing screening for tenants", label="Public housing") is not None
    assert refusal("public housing screening for tenants", label="Criminal justice") is None


def test_a_code_can_ask_for_more_words_or_fewer() -> None:
    """How much has to be said is the code's business."""
    assert refusal("stolen vehicle", words=2) is None
    assert refusal("stopped for no plates, driver has no licence", words=6) is not None


def test_a_department_can_name_words_that_say_nothing_there() -> None:
    """The town's own name is in every statement of the town."""
    assert refusal("Fairmont patrol car") is None
    assert refusal("Fairmont patrol car", empty=("Fairmont", "patrols")) is not None


@given(st.text(max_size=200))
def test_no_text_is_too_odd_to_judge(statement: str) -> None:
    """Any text is judged, and the same text in the same way."""
    assert refusal(statement) == refusal(statement)


@given(st.sampled_from([line for line in GOOD.splitlines() if line]), st.sampled_from([" ", "  ", "!", "...", " the "]))
def test_padding_does_not_matter(statement: str, padding: str) -> None:
    """Case, punctuation and grammar around a statement change nothing."""
    assert refusal(f"{padding}{statement.upper()}{padding}") is None


@given(st.sampled_from([line for line in BAD.splitlines() if line]), st.integers(2, 5))
def test_saying_nothing_twice_is_saying_nothing(statement: str, times: int) -> None:
    """Repetition adds no word."""
    assert refusal(" ".join([statement] * times)) is not None


@pytest.mark.parametrize("word", ["property", "liberty", "Hertz", "strewn", "overstuffed", "understudy", "rhythm"])
def test_real_words_are_no_keyboard_walks(word: str) -> None:
    """Neighboring letters of the keyboard occur in honest words."""
    assert refusal(f"{word} stolen yesterday from garage") is None
    assert refusal(f"{word} garage ladder") is None


def test_endings_make_no_new_word() -> None:
    """Investigate, investigating and investigations are one word."""
    assert len({stem(word) for word in ("investigate", "investigates", "investigating", "investigation", "investigated")}) == 1


def test_statements_that_are_nearly_the_same_share_a_signature() -> None:
    """Case, punctuation, order, endings, numbers and one word make no other statement; a short or endless one stands whole."""
    said = set(signatures("Stopped at 0312, no plates; driver nervous!"))

    assert said & set(signatures("nervous drivers stopped  no PLATES"))
    assert said & set(signatures("stopped, no plates, passenger nervous"))
    assert not said & set(signatures("stopped, no lights, passenger nervous"))
    assert len(signatures("stolen plate seen")) == 1
    assert len(signatures(" ".join(f"{letter}{second}x" for letter in "bcdfghjklm" for second in "aeiou"))) == 1
