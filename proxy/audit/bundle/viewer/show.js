// Shows what was checked. Everything from the folder goes into the page as text, never as markup.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) =>
    child instanceof Node ? child : document.createTextNode(String(child))));
  return element;
}

const WORDS = {
  officer: "Officer", operator: "Operator", requestor: "Asked on behalf of", recipient: "Recipient", terminal: "Terminal", case: "Case",
  statement: "Reason given", purpose: "Purpose code", action: "What was asked", outcome: "Decision", shown: "Shown to the terminal",
  rule: "Rule that decided", policy: "Policy version", route: "Route", standing: "Relation to the case", category: "Protection",
  relation: "Relation to the person", disclosed: "Kinds of field released", masked: "Kinds of field hidden", withheld: "Records held back",
  records: "Records", status: "Status", problem: "Refused because", criteria: "Sought by", agency: "Agency", role: "Role",
  recognized: "Protected persons recognized", sha256: "Hash of what was released", left: "Records that were judged", forward: "Was forwarded",
};

const SENTENCES = {
  decided: (entry, body) => `${who(body)} asked (${entry.facts.action || "a query"}); the decision was “${entry.facts.outcome}”.`,
  refused: (entry, body) => `${who(body)} asked and was refused (${entry.facts.problem || entry.facts.outcome || "no reason stated"}).`,
  disclosed: (entry) => `An answer left: ${entry.facts.records ?? 0} record(s)${entry.facts.withheld ? `, ${entry.facts.withheld} held back` : ""}.`,
  withheld: () => "Nothing of the reply left: the terminal was told that there is no record.",
  unwitnessed: (entry) => entry.facts.released === false
    ? `The answer of entry ${entry.facts.entry} never left: no witness had signed for it.`
    : `The answer of entry ${entry.facts.entry} left although no witness had signed for it in time.`,
  failed: (entry) => `The query ended without an answer (${entry.facts.outcome}).`,
  started: () => "The server began to answer.",
  stopped: () => "The server stopped in good order.",
  "log-read": (entry, body) => `${who(body)} read an entry of this log.`,
  "log-searched": (entry, body) => `${who(body)} searched this log.`,
  "export-begun": (entry, body) => `${who(body)} began to export entries of this log.`,
  exported: (entry, body) => `${who(body)} exported entries of this log.`,
  shredded: () => "The body of an entry was destroyed on an order.",
};

const who = (body) => String((body && (body.officer || body.operator)) || "Somebody (name closed)");

function value(item) {
  if (Array.isArray(item)) {
    if (!item.some((each) => each !== null && typeof each === "object")) return document.createTextNode(item.join(", "));
    return make("ol", {}, ...item.map((each) => make("li", {}, value(each))));
  }
  if (item !== null && typeof item === "object") return fields(item);
  return document.createTextNode(item === true ? "yes" : item === false ? "no" : String(item));
}

function fields(content) {
  const list = make("dl");
  for (const [name, item] of Object.entries(content)) {
    if (item === null || item === "" || (Array.isArray(item) && !item.length)) continue;
    list.append(make("dt", {}, Object.hasOwn(WORDS, name) ? WORDS[name] : name.replaceAll("_", " ")), make("dd", {}, value(item)));
  }
  return list;
}

const unreleased = (index, checking) => checking.entries.find(({ entry, proved }) => proved && entry.kind === "unwitnessed"
  && entry.facts.released === false && entry.facts.entry === index);

function card(shown, checking) {
  const { index, entry, body } = shown, bad = checking.findings.filter((each) => each.path.includes(pad(index)));
  const good = !bad.length && shown.proved;
  const top = make("header", {}, make("h3", {}, `Entry ${index}`),
    make("p", {}, entry ? `${entry.at.replace("T", " ").replace("Z", "")} UTC` : ""),
    make("p", { class: `tag ${good ? "good" : "bad"}` }, good ? "in the log, unaltered" : "not proved"));
  const article = make("article", {}, top, ...bad.map((each) => make("p", { class: "verdict bad" }, each.message)));
  if (!entry) return article;
  const say = Object.hasOwn(SENTENCES, entry.kind) ? SENTENCES[entry.kind] : () => `An entry of the kind “${entry.kind}”.`;
  const correcting = unreleased(index, checking);
  article.append(make("p", { class: "words" }, correcting
    ? `An answer was ready and never left: no witness had signed for it, as entry ${correcting.index} says. Nobody was shown anything of it.`
    : say(entry, body)));
  if (body) article.append(fields(body));
  else if (shown.shredded) article.append(make("p", { class: "warn verdict" }, "The sealed part was destroyed on an order; the entry `shredded` of the log says on which."));
  else if (entry.body) article.append(make("p", {}, "The sealed part is closed: its key is not in this folder."));
  const facts = make("details", {}, make("summary", {}, "What lies open in the entry"),
    fields({ kind: entry.kind, query: entry.about }), fields(entry.facts));
  article.append(facts);
  return article;
}

function summary(checking) {
  const { asked, checkpoint } = checking;
  const stated = { "What was asked": `${asked.by} ${asked.value}`, From: asked.since, Until: asked.until, Entries: asked.entries.length,
    "Exported": `${asked.exported_at} by ${asked.exporter}`, "For the case": asked.case, "Reason given": asked.statement,
    "Log": asked.origin, "State of the log": checkpoint ? `${checkpoint.size} entries, root ${hex(checkpoint.root)}` : "",
    "Name of this bundle": checking.manifest };
  return make("section", {}, make("h2", {}, "What this is"), fields(stated));
}

function verdict(checking) {
  const { findings, checkpoint, asked, times } = checking;
  const section = make("section", { "aria-labelledby": "verdict" }, make("h2", { id: "verdict" }, "Result"));
  if (findings.length) {
    section.append(make("p", { class: "verdict bad" }, findings.length === 1 ? "One thing is wrong." : `${findings.length} things are wrong.`),
      make("ul", { class: "findings" }, ...findings.map((each) => make("li", {}, each.message))));
    return section;
  }
  const complete = checking.lookedThrough === undefined ? null
    : `Entries ${asked.range[0]} to ${asked.range[1] - 1} of the log are all here, as signed; none of the ${checking.lookedThrough} answers the question and is left out. That the marks in data/question.json are those of ${asked.by} ${asked.value} ${checking.named ? "rests on the office that exported this folder" : "is what opened entries say that carry them"}.`;
  const lines = ["Every file is the one that was listed, and nothing was added.", `The log’s key has signed its state of ${checkpoint.size} entries.`,
    ...times.map(([name, seconds]) => `${name} has cosigned it on ${new Date(seconds * 1000).toISOString().replace(".000Z", "Z")}.`),
    `Each of the ${asked.entries.length} entries is in the log, unaltered, at its place.`, complete,
    `${checking.entries.filter((each) => each.body).length} sealed parts were opened and are the ones that were logged.`];
  const left = [...checking.notes, ...(times.length ? [] : ["No witness’s key was given: only the log’s own key vouches for its state."]),
    ...(checking.files.has("manifest-sha256.txt.tsr") ? ["The time-stamp is not checked by this page: `openssl ts -verify` does."] : [])];
  section.append(make("p", { class: "verdict good" }, "Everything holds."), make("ul", { class: "checks" }, ...lines.filter(Boolean).map((line) => make("li", {}, line))));
  if (left.length) section.append(make("p", { class: "verdict warn" }, left.join(" ")));
  return section;
}

const byId = (id) => document.getElementById(id);
const tell = (words) => { byId("status").textContent = words; };

async function check() {
  byId("result").replaceChildren();
  const files = new Map();
  for (const file of byId("folder").files) files.set((file.webkitRelativePath || file.name).split("/").slice(1).join("/"), file);
  if (!crypto.subtle) throw new Error("this browser offers no cryptography to pages from a folder: open it in another one");
  const words = byId("witnesses").value.split("\n").filter((line) => line.trim());
  const keys = [], witnesses = [];
  for (const word of byId("key").value.trim().split(/\s+/)) keys.push(await readKey(word));
  for (const word of words) witnesses.push(await readKey(word));
  const checking = await new Checking(files, keys, witnesses, byId("manifest").value.trim().toLowerCase(), tell).run();
  const parts = [verdict(checking)];
  if (checking.asked) parts.push(summary(checking));
  if (checking.entries.length) {
    parts.push(make("section", { class: "entries", "aria-labelledby": "entries" }, make("h2", { id: "entries" }, "Entries"),
      ...checking.entries.map((shown) => card(shown, checking))));
  }
  byId("result").replaceChildren(...parts);
  tell(checking.findings.length ? `Checked: ${checking.findings.length} finding(s).` : "Checked: everything holds.");
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  tell("Checking …");
  try {
    await check();
  } catch (error) {
    byId("result").replaceChildren(make("section", {}, make("h2", {}, "Result"), make("p", { class: "verdict bad" }, `Nothing was checked: ${error.message || error}`)));
    tell("Nothing was checked.");
  }
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
