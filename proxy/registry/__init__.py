"""Who is protected: criteria or a record become protections and a relation to the principal.

**Loaded at start, sealed at rest.** The store holds AES-256-GCM payloads and a sealed manifest (``store.py``); match tokens are
made in memory under a random key of this start (``tokens.py``) and written nowhere. What is learned by a thief
of the store: how many persons, and roughly how much is known of each. Of the store and the registry key file:
everything. Of this process's memory: everything, since whoever holds tokens and their key can try all names and numbers.

**In doubt, recognized.** A form that two people could share is kept (``normalize.py``), a contradiction must be certain
(``index.py``), one member of a household stands for all (``households.py``). The exceptions are stated where
they are made: a neighbor's unit, a namesake with another date of birth, a colleague's address (``personnel.py``).

**Not loaded is not nobody.** ``Recognizer.ready`` is false until both tables are loaded and believed, and every query is
refused meanwhile (``service.py``).
"""
