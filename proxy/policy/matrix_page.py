"""Style and script of the page that ``matrix`` makes. The script sets texts and classes, and reads nothing but the page."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --head: #f3f5f7;
  --conceal: #e9e0f5; --deny: #f9dcdc; --escalate: #fdf0cc; --mask: #dbeafd; --permit: #daf2e0; }
@media (prefers-color-scheme: dark) {
  :root { --page: #14171b; --ink: #e6e9ed; --soft: #a3acb6; --line: #3a424b; --head: #20252b;
    --conceal: #3b2d54; --deny: #552627; --escalate: #4d3f13; --mask: #1f3a5c; --permit: #1c4428; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 100rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0; max-width: 48rem; }
.hint { color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0; padding: 0; list-style: none; }
.legend b { padding: .05rem .4rem; border-radius: .25rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin: .75rem 0; }
label { display: flex; flex-direction: column; flex: 1 1 11rem; min-width: 0; max-width: 22rem; font-size: .875rem;
  color: var(--soft); }
select, input { width: 100%; min-height: 2.75rem; padding: .4rem; font: inherit; font-size: 1rem; color: var(--ink);
  background: var(--page); border: 1px solid var(--soft); border-radius: .25rem; }
:focus-visible { outline: 3px solid #2f7fe0; outline-offset: 1px; }
.wide { overflow-x: auto; border: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: .875rem; }
#asked { max-width: none; font-size: .875rem; overflow-wrap: anywhere; }
th, td { padding: .35rem .5rem; border: 1px solid var(--line); text-align: left; vertical-align: top; }
th { background: var(--head); font-weight: 600; }
#grid tbody th { position: sticky; left: 0; min-width: 6rem; max-width: 9rem; overflow-wrap: break-word; }
#grid td { white-space: nowrap; }
#rows thead th { position: sticky; top: 0; }
#rows td:last-child { min-width: 12rem; }
#rows td:nth-child(10) { overflow-wrap: anywhere; min-width: 8rem; }
#rows tr > td:first-child { font-weight: 600; }
.conceal, .conceal > td:first-child { background: var(--conceal); } tr.conceal { background: none; }
.deny, .deny > td:first-child { background: var(--deny); } tr.deny { background: none; }
.escalate, .escalate > td:first-child { background: var(--escalate); } tr.escalate { background: none; }
.mask, .mask > td:first-child { background: var(--mask); } tr.mask { background: none; }
.permit, .permit > td:first-child { background: var(--permit); } tr.permit { background: none; }
tr[hidden] { display: none; }
dt { font-weight: 600; margin-top: .5rem; } dt small { font-weight: 400; color: var(--soft); }
dd { margin: 0 0 0 1rem; }
dl { columns: 24rem 3; } dt { break-after: avoid; } dd { break-inside: avoid; }
@media screen and (max-width: 60rem) {
  #rows, #rows tbody, #rows tr, #rows td { display: block; }
  #rows thead { display: none; }
  #rows tr { margin: 0 0 .75rem; border: 1px solid var(--line); }
  #rows td { display: grid; grid-template-columns: 9rem minmax(0, 1fr); border: 0; overflow-wrap: anywhere; }
  #rows td:last-child, #rows td:nth-child(10) { min-width: 0; }
  #rows td::before { content: attr(data-name); color: var(--soft); font-weight: 400; }
}
@media print {
  @page { size: landscape; margin: 12mm; }
  body { padding: 0; max-width: none; font-size: 9pt; }
  form, .search, .hint { display: none; }
  .wide { overflow: visible; border: 0; }
  table { font-size: 7.5pt; } th, #rows thead th, #grid tbody th { position: static; }
  tr { break-inside: avoid; } thead { display: table-header-group; }
  .conceal, .deny, .escalate, .mask, .permit, .conceal > td, .deny > td, .escalate > td, .mask > td, .permit > td {
    print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

SCRIPT: Final = """
"use strict";
(() => {
  const table = JSON.parse(document.getElementById("data").textContent);
  const names = Object.keys(table.columns);
  const selects = [...document.querySelectorAll("#choice select")];
  const cells = [...document.querySelectorAll("#grid tbody tr")].map((row) => [...row.querySelectorAll("td")]);

  function ruling(at) {
    let place = 0;
    for (const name of names) place = place * table.columns[name].length + at[name];
    return table.rulings[table.cells[place]];
  }

  function show() {
    const at = {};
    const asked = [];
    for (const select of selects) {
      at[select.dataset.column] = Number(select.value);
      asked.push(select.parentNode.firstChild.textContent + ": " + select.selectedOptions[0].textContent);
    }
    document.getElementById("asked").textContent = asked.join("; ");
    cells.forEach((row, role) => row.forEach((cell, category) => {
      const found = ruling({...at, role, category});
      cell.className = found.outcome;
      cell.title = found.because + (found.obligations === "none" ? "" : " (" + found.obligations + ")");
      cell.querySelector("b").textContent = found.outcome;
      cell.querySelector("span").textContent = found.rule;
    }));
  }

  function filter() {
    const words = document.getElementById("filter").value.toLowerCase().split(/\\s+/).filter(Boolean);
    const rows = [...document.querySelectorAll("#rows tbody tr")];
    let shown = 0;
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    document.getElementById("shown").textContent = words.length ? shown + " of " + rows.length + " rows" : "";
  }

  selects.forEach((select) => select.addEventListener("change", show));
  document.getElementById("choice").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("filter").addEventListener("input", filter);
  show();
})();
"""
