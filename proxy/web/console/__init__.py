"""The console: pages for who decides, beside the JSON that the same door serves to programs.

Each noun has a module here and a template in ``templates/``. To add a page (``locks.py``, say):

1. Write a room, a class with ``tab`` (its place in the menu) and ``pages()``::

       class LocksRoom:
           tab = Tab("Locks", "/locks", roles=frozenset({"supervisor", "auditor"}))

           def pages(self) -> Iterable[Page]:
               yield Page("GET", "/locks", self._list, roles=self.tab.roles)
               yield Page("POST", "/locks/{id}/lift", self._lift, roles=self.tab.roles)

           async def _list(self, visit: Visit) -> web.StreamResponse:
               return visit.show("locks.html", locks=await self._locks.listed())

           async def _lift(self, visit: Visit) -> web.StreamResponse:
               await self._locks.lift(visit.names["id"], visit.principal, visit.form.text("reason"))
               return visit.go("/locks", said="lifted")  # a word of notes.py

   ``roles`` None is for everybody who has signed in. Who may do what with which *thing* is the room's service's to say: it
   raises a ``Refusal``, and the frame makes a page of it (``errors.py`` holds what to do next) and an entry in the log.
2. Write ``templates/locks.html``, which ``extends "base.html"`` and fills ``main``. Everything is escaped. Forms begin with
   ``{{ form_token() }}``; times are written ``{{ moment | when }}``, ``| ago`` and ``| left``; macros stand in ``macros.html``.
3. Make the room in ``rooms.py``; its tab appears for its roles, in the order of the rooms. What it needs goes into ``Behind``,
   which ``proxy/main.py`` fills.
4. Add the page to ``PAGES`` of ``tests/browser/test_pages.py``: axe in light and dark, 360 px, and a screenshot.

A page is GET and changes nothing. What changes something is POST, comes from a form of the same session (``forms.py``), and
ends in ``visit.go``, so that reloading repeats nothing. ``visit.live(key, html)`` answers with server-sent events whenever
``key()`` has changed. Scripts, styles and pictures come from ``static/`` alone: the policy forbids all others, inline too.
"""
