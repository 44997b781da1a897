"""Who is protected: criteria or a record become protections and a relation to the principal.

**Loaded at start, sealed at rest.** The store holds AES-256-GCM payloads and sealed manifests (``store.py``); match tokens are
made in memory under a random key of this start (``tokens.py``) and written nowhere.

**What a thief learns.** Of the store or a backup: how many persons, personnel and proposals there are, to the next power of two
how much is known of each, how often they changed and, from two copies, which rows did; no name, number, category or token, and
nothing to try guesses on. Of the log beside it: how many were enrolled under which category and when, by entries' ids. Of the
store and the registry key file: everything, and how to write a store that is believed. Of a backup and the key of its time: all
that was known then, whatever the key is today. Of this process's memory: everything, since whoever holds tokens and their key
can try all names and numbers, some minutes each; so it is kept out of core dumps and swap (``deploy/``), and no further.

**One steward adds, two lessen** (``stewards.py``). What is masked of a person whatever policy permits stands in the entry. The
key is exchanged while servers go on answering (``rotation.py``).

**How somebody is recognized.** Exact roads come first: one dictionary look-up for each number, name and address in its
normal form (``index.py``, ``normalize.py``, ``address.py``). Look-alikes meet under keys: hashes of what a slip leaves as
it was, such as the sound of a surname with the year of birth (``traits.py``). Whoever shares one is opened and compared,
field by field (``likeness.py``); each field adds or takes evidence in bits, by how rare the value is (``evidence.py``,
``rarity.py``); and a threshold of policy, which grows with the registry, says how much is enough (``thresholds.py``,
``recognition.py``). A person's fields lie sealed in memory until then (``profile.py``).

A place of work or a school is shared by hundreds, and a common name in free text by thousands: both are evidence, and no road.

**In doubt, recognized.** A form that two people could share is kept, a contradiction must be certain, both names that sound
right are enough while nothing contradicts, one member of a household stands for all (``households.py``). The exceptions are
stated where they are made: a neighbor's unit, house or street and a namesake with another date of birth or SSN, unless
other evidence outweighs them (``recognition.py``); a colleague's address (``personnel.py``). A name alone is asked for more
where very many are enrolled, whomever it means, since by then most who bear it are strangers.

**Not loaded is not nobody.** ``Recognizer.ready`` is false until both tables are loaded and believed, and every query is
refused meanwhile (``service.py``).
"""
