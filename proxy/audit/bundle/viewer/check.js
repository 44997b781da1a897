"use strict";
// Checks a bundle as `showcause audit verify-bundle` does, with what a browser has: WebCrypto and the files that were picked.

const utf8 = new TextEncoder();
const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
const unhex = (word) => Uint8Array.from(word.match(/../g) || [], (pair) => parseInt(pair, 16));
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
const pad = (index) => String(index).padStart(12, "0");

function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
}

function unbase64(word) {
  const bytes = Uint8Array.from(atob(word), (letter) => letter.charCodeAt(0));
  if (btoa(String.fromCharCode(...bytes)) !== word) throw new Error("this base64 is not canonical");
  return bytes;
}

class Broken extends Error {}

// RFC 6962: a leaf and a node have different prefixes, so that neither passes as the other.
const leafHash = (entry) => sha256(join(Uint8Array.of(0), entry));
const nodeHash = (left, right) => sha256(join(Uint8Array.of(1), left, right));

class Tree {
  constructor() { this.size = 0; this.peaks = []; }
  async push(hash, height = 0) {
    this.size += 2 ** height;
    while (this.peaks.length && this.peaks.at(-1)[0] === height) {
      hash = await nodeHash(this.peaks.pop()[1], hash);
      height += 1;
    }
    this.peaks.push([height, hash]);
  }
  async root() {
    if (!this.peaks.length) return sha256(new Uint8Array(0));
    let root = this.peaks.at(-1)[1];
    for (const [, peak] of this.peaks.slice(0, -1).reverse()) root = await nodeHash(peak, root);
    return root;
  }
}

// The heights of the fewest perfect subtrees that cover leaves low up to high.
function subtrees(low, high) {
  const heights = [];
  while (low < high) {
    let height = 0;
    while (2 ** (height + 1) <= high - low && low % 2 ** (height + 1) === 0) height += 1;
    heights.push(height);
    low += 2 ** height;
  }
  return heights;
}

async function rootOfInclusion(leaf, index, size, path) {
  if (index >= size) return null;
  let number = index, last = size - 1, root = leaf;
  for (const sibling of path) {
    if (last === 0) return null;
    if (number % 2 === 1 || number === last) {
      root = await nodeHash(sibling, root);
      while (number % 2 === 0 && number > 0) { number = Math.floor(number / 2); last = Math.floor(last / 2); }
    } else {
      root = await nodeHash(root, sibling);
    }
    number = Math.floor(number / 2); last = Math.floor(last / 2);
  }
  return last === 0 ? root : null;
}

async function isConsistent(old, size, oldRoot, root, proof) {
  if (old > size) return false;
  if (old === 0) return proof.length === 0;
  if (old === size) return proof.length === 0 && same(oldRoot, root);
  const rest = [...proof];
  let number = old - 1, last = size - 1;
  while (number % 2 === 1) { number = Math.floor(number / 2); last = Math.floor(last / 2); }
  let left = 2 ** Math.floor(Math.log2(old)) === old ? oldRoot : rest.shift();
  if (!left || !proof.length) return false;
  let right = left;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (number % 2 === 1 || number === last) {
      left = await nodeHash(sibling, left); right = await nodeHash(sibling, right);
      while (number % 2 === 0 && number > 0) { number = Math.floor(number / 2); last = Math.floor(last / 2); }
    } else {
      right = await nodeHash(right, sibling);
    }
    number = Math.floor(number / 2); last = Math.floor(last / 2);
  }
  return last === 0 && same(left, oldRoot) && same(right, root);
}

// C2SP signed-note: `<name>+<key id>+<base64 of type and key>`; type 1 signs the text, type 4 the text and a time.
async function readKey(word) {
  const match = /^([!-*,-~]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(word.trim());
  if (!match) throw new Broken("a verifier key reads name+id+key");
  const raw = unbase64(match[3]);
  if (![1, 4].includes(raw[0]) || raw.length !== 33) throw new Broken("this page checks Ed25519 keys only");
  const id = (await sha256(join(utf8.encode(match[1] + "\n"), raw))).slice(0, 4);
  if (hex(id) !== match[2]) throw new Broken("the id of this verifier key is not that of its key: it was copied wrong");
  const key = await crypto.subtle.importKey("raw", raw.slice(1), { name: "Ed25519" }, false, ["verify"]);
  return { name: match[1], id, type: raw[0], key };
}

function parseCheckpoint(note) {
  const gap = note.lastIndexOf("\n\n");
  const body = note.slice(0, gap + 1), lines = body.split("\n");
  if (gap < 0 || lines.length < 4 || !/^(0|[1-9][0-9]{0,15})$/.test(lines[1])) throw new Broken("it is no checkpoint");
  const signatures = note.slice(gap + 2).split("\n").filter(Boolean).map((line) => {
    const match = /^\u2014 (\S+) (\S+)$/.exec(line);
    if (!match) throw new Broken("a line of it is no signature");
    const raw = unbase64(match[2]);
    return { name: match[1], id: raw.slice(0, 4), signature: raw.slice(4) };
  });
  return { text: note, body, origin: lines[0], size: Number(lines[1]), root: unbase64(lines[2]), signatures };
}

// Returns when a key signed a checkpoint (0 for keys that state no time); throws when it did not.
async function signedBy(checkpoint, key) {
  const line = checkpoint.signatures.find((each) => each.name === key.name && same(each.id, key.id));
  if (!line) throw new Broken(`it is not signed by ${key.name}, or by another key of that name`);
  let { signature } = line, message = checkpoint.body, seconds = 0;
  if (key.type === 4) {
    seconds = Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0));
    message = `cosignature/v1\ntime ${seconds}\n${checkpoint.body}`;
    signature = signature.slice(8);
  }
  if (!await crypto.subtle.verify("Ed25519", key.key, signature, utf8.encode(message))) {
    throw new Broken(`the signature of ${key.name} does not hold`);
  }
  return seconds;
}

function parseManifest(bytes) {
  const lines = text(bytes).split("\n"), listed = new Map();
  if (lines.pop() !== "") throw new Broken("its last line has no end");
  let before = "";
  for (const line of lines) {
    const match = /^([0-9a-f]{64}) {2}([A-Za-z0-9][A-Za-z0-9._/-]*)$/.exec(line);
    if (!match || match[2] <= before) throw new Broken("a line is malformed or out of order");
    before = match[2];
    listed.set(match[2], match[1]);
  }
  return listed;
}

function splitEntries(bytes) {
  const entries = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + bytes[at] * 256 + bytes[at + 1];
    if (end > bytes.length || end === at + 2) throw new Broken("it is no row of entries");
    entries.push(bytes.slice(at + 2, end));
    at = end;
  }
  return entries;
}

const FORM = "v,kind,at,about,epoch,facts,parties,body";
function parseEntry(bytes) {
  const entry = JSON.parse(text(bytes));
  if (entry === null || typeof entry !== "object" || Object.keys(entry).join() !== FORM || entry.v !== 2) {
    throw new Broken("it is of a form this page does not know");
  }
  return entry;
}

function proofLines(bytes) {
  const lines = text(bytes).split("\n");
  if (lines.pop() !== "") throw new Broken("something follows its last line");
  return lines.map(unbase64);
}

// The body: form, length and name of the wrapping key, wrapped data key (60 bytes), ciphertext under the data key.
async function openBody(body, keyBytes, entry) {
  if (body[0] !== 1) throw new Broken("it is of a form this page does not know");
  const start = 2 + body[1], name = text(body.slice(2, start));
  const bound = utf8.encode(JSON.stringify([name, entry.kind, entry.about, entry.at, entry.epoch]));
  const key = await crypto.subtle.importKey("raw", keyBytes, "AES-GCM", false, ["decrypt"]);
  const how = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: bound };
  return JSON.parse(text(new Uint8Array(await crypto.subtle.decrypt(how, key, body.slice(start + 60)))));
}

// Whether an opened body names whom was asked about: under a name for them, or by itself where there is none.
const NAMED_AT = { officer: ["operator", "person", "officer"], terminal: ["terminal"], case: ["case"] };
function namesOne(body, { by, value }) {
  const waiting = Object.hasOwn(NAMED_AT, by) ? NAMED_AT[by].map((place) => body[place]) : [body];
  while (waiting.length) {
    const item = waiting.pop();
    if (item !== null && typeof item === "object") waiting.push(...Object.values(item));
    else if (item === value) return true;
  }
  return false;
}

const PLACES = ["data/viewer.html", "data/question.json", "data/checkpoint", "data/range/proof"];

// A JSON object in which no name stands twice: a reader would see the first, and a program the last.
function parseOnce(bytes) {
  const said = text(bytes), parsed = JSON.parse(said);
  if (JSON.stringify(parsed).length !== said.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (part) => part.startsWith('"') ? part : "").length) {
    throw new Broken("it is in another spelling than an export’s, or says something twice");
  }
  return parsed;
}

class Checking {
  constructor(files, keys, witnesses, exported, tell) {
    Object.assign(this, { files, keys, witnesses, exported, tell, epochs: new Set(), shownIn: new Set(), findings: [], notes: [], blamed: new Set(), entries: [], times: [], wanted: new Set(PLACES) });
  }
  find(path, message) {
    if (!this.blamed.has(path)) this.findings.push({ path, message: message.includes(path) ? message : `${path}: ${message}` });
    this.blamed.add(path);
  }
  async read(name) {
    const file = this.files.get(name);
    if (!file) this.find(name, `${name} is missing`);
    if (!file || this.blamed.has(name)) return null;
    return new Uint8Array(await file.arrayBuffer());
  }
  async attempt(name, work) {
    const bytes = await this.read(name);
    if (bytes === null) return null;
    try {
      return await work(bytes);
    } catch (error) {
      this.find(name, `${name}: ${error.message || error.name || "it cannot be read"}`);
      return null;
    }
  }
  async run() {
    await this.paper();
    this.asked = await this.attempt("data/question.json", parseOnce);
    this.checkpoint = await this.attempt("data/checkpoint", (bytes) => this.signed(parseCheckpoint(text(bytes))));
    if (this.asked && this.checkpoint) {
      if (this.asked.origin !== this.checkpoint.origin) this.find("data/question.json", "data/question.json is about another log");
      await this.range();
      for (const index of this.asked.entries) await this.entry(index);
      this.whose();
      await this.earlier();
      await this.strays();
    }
    return this;
  }
  async signed(checkpoint) {
    await this.byTheLog(checkpoint);
    for (const witness of this.witnesses) this.times.push([witness.name, await signedBy(checkpoint, witness)]);
    return checkpoint;
  }
  // One of the log's keys has signed: of several each signs anything, for this page knows no statement of a new key.
  async byTheLog(checkpoint) {
    if (this.keys.some((key) => key.name !== checkpoint.origin)) throw new Broken(`it is of the log ${checkpoint.origin}, and the key is another's`);
    let failure = null;
    for (const key of this.keys) {
      try {
        return await signedBy(checkpoint, key);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
  // Every listed file is there and is what was listed, and nothing else is.
  async paper() {
    const MANIFEST = "manifest-sha256.txt", TAGS = "tagmanifest-sha256.txt";
    const hashes = new Map();
    for (const [name, file] of this.files) {
      hashes.set(name, hex(await sha256(new Uint8Array(await file.arrayBuffer()))));
      this.tell(`Reading: ${hashes.size} of ${this.files.size} files`);
    }
    this.manifest = hashes.get(MANIFEST) || "";
    this.named = this.exported !== "" && this.exported === this.manifest;
    this.notes.push("README.txt and certification.txt are not read by this page: `showcause audit verify-bundle` compares them.");
    if (!this.exported) this.notes.push("The manifest’s hash was not given: what is in no entry, and this page itself, rests on the lists of this folder.");
    const payload = await this.attempt(MANIFEST, parseManifest), tags = await this.attempt(TAGS, parseManifest);
    const differing = payload ? [...payload.keys()].filter((name) => hashes.get(name) !== payload.get(name)) : [];
    const stray = payload ? [...hashes.keys()].filter((name) => name.startsWith("data/") && !payload.has(name)) : [];
    const doubted = tags && payload && tags.get(MANIFEST) !== hashes.get(MANIFEST);
    if (doubted && (differing.length || stray.length)) this.find(MANIFEST, `${MANIFEST} is altered: ${TAGS} lists another`);
    else if (doubted) this.find(TAGS, `${TAGS} is altered: its hash of ${MANIFEST} is not that file’s`);
    const listed = new Map([...(tags || []), ...(this.blamed.has(MANIFEST) ? [] : payload || [])]);
    for (const [name, digest] of listed) {
      if (name === MANIFEST || hashes.get(name) === digest) continue;
      this.find(name, hashes.has(name) ? `${name} is altered: it is not what was listed` : `${name} is missing`);
    }
    for (const name of hashes.keys()) {
      const known = name.startsWith("data/") ? !payload || this.blamed.has(MANIFEST) || payload.has(name) : !tags || tags.has(name);
      if (!known && name !== TAGS) this.find(name, `${name} is in no list: it was put in`);
    }
    if (this.exported && !this.named) this.find(MANIFEST, `${MANIFEST} is not the one that was exported`);
  }
  // Every leaf of the stretch leads to the signed root, and none of them answers that is not here.
  async range() {
    this.leaves = new Map();
    if (this.asked.range === null) { this.notes.push("Entries were asked for by number: nothing is claimed of others."); return; }
    try {
      await this.completeness();
    } catch (error) {
      this.find("data/range/proof", `data/range/proof: ${error.message}`);
    }
  }
  async completeness() {
    const [first, end] = this.asked.range, { size, root } = this.checkpoint;
    const proof = await this.attempt("data/range/proof", proofLines);
    const before = subtrees(0, first), after = subtrees(end, size);
    if (!proof || proof.length !== before.length + after.length) throw new Broken("it does not fit the range");
    const tree = new Tree(), entries = [];
    const leaves = new Map();
    for (const height of before) await tree.push(proof.shift(), height);
    for (const name of [...this.files.keys()].filter((each) => /^data\/range\/\d{12}\.entries$/.test(each)).sort()) {
      if (name !== `data/range/${pad(first + entries.length)}.entries`) throw new Broken(`${name} does not go on where it should`);
      const found = await this.attempt(name, splitEntries);
      if (!found) throw new Broken(`${name} cannot be read`);
      for (const bytes of found) {
        const leaf = await leafHash(bytes);
        leaves.set(first + entries.length, leaf);
        entries.push(parseEntry(bytes));
        await tree.push(leaf);
        if (entries.length % 500 === 0) this.tell(`Looking through: ${entries.length} of ${end - first} entries`);
      }
    }
    if (tree.size !== end) throw new Broken("the range has more or fewer entries than it should");
    for (const height of after) await tree.push(proof.shift(), height);
    if (!same(await tree.root(), root)) throw new Broken("the range is not what the log holds: an entry was altered, left out or put in");
    this.leaves = leaves;
    this.lookThrough(entries, first, end, size);
  }
  lookThrough(entries, first, end, size) {
    const { tokens, since, until } = this.asked, wanted = new Set(this.asked.entries);
    const within = (at) => (!since || at >= since) && (!until || at < until);
    const reaches = entries.length && (first === 0 || (since && entries[0].at < since)) && (end === size || (until && entries.at(-1).at >= until));
    if (!reaches && size) this.find("data/question.json", "the range does not reach as far as the time asked for");
    if (entries.length && !(until && entries.at(-1).at >= until)) {
      this.notes.push(`The range ends with the log’s last entry, of ${entries.at(-1).at}: nothing is claimed of later ones.`);
    }
    const abouts = new Set(entries.filter((each) => each.about && within(each.at) && this.carries(each)).map((each) => each.about));
    entries.forEach((entry, place) => {
      const index = first + place, answers = within(entry.at) && (abouts.has(entry.about) || this.carries(entry));
      if (answers && !wanted.has(index)) this.find(`data/entries/${pad(index)}.json`, `entry ${index} answers the question and was left out`);
      if (!answers && wanted.has(index)) this.find(`data/entries/${pad(index)}.json`, `entry ${index} does not answer the question`);
      if (within(entry.at)) this.epochs.add(entry.epoch);
      if (within(entry.at) && !Object.hasOwn(tokens, entry.epoch)) this.find("data/question.json", `no token of the epoch ${entry.epoch} is given`);
    });
    this.lookedThrough = entries.length;
  }
  carries(entry) {
    const { by, tokens } = this.asked;
    return Object.hasOwn(tokens, entry.epoch) && Object.hasOwn(entry.parties, by) && entry.parties[by].includes(tokens[entry.epoch]);
  }
  // With another's tokens, or nobody's, the entries that answer are left out: opened entries say whose they are, or the manifest's hash.
  whose() {
    const unshown = [...this.epochs].filter((epoch) => !this.shownIn.has(epoch));
    if (this.named || !unshown.length) return;
    this.find("data/question.json", `data/question.json: nothing shows that the marks are those of ${this.asked.by} ${this.asked.value}: of epoch ${unshown.join(", ")} no opened entry names them. Type in the manifest’s SHA-256, as the export printed it`);
  }
  async entry(index) {
    const where = `data/entries/${pad(index)}.json`, shown = { index };
    this.entries.push(shown);
    this.wanted.add(where).add(`data/proofs/${pad(index)}.tlog-proof`);
    const bytes = await this.read(where);
    if (!bytes) { this.wanted.add(`data/bodies/${pad(index)}.body`).add(`data/keys/${pad(index)}.key`); return; }
    const leaf = await leafHash(bytes), inRange = this.leaves.get(index);
    if (inRange && !same(inRange, leaf)) { this.find(where, `entry ${index} is not what the log holds: the range has another`); return; }
    const proved = await this.attempt(`data/proofs/${pad(index)}.tlog-proof`, (proof) => this.proves(text(proof), leaf, index));
    shown.entry = await this.attempt(where, parseEntry);
    shown.proved = Boolean(proved);
    if (shown.entry) await this.body(shown, index);
  }
  async proves(proof, leaf, index) {
    const gap = proof.indexOf("\n\n"), lines = proof.slice(0, gap).split("\n");
    if (lines[0] !== "c2sp.org/tlog-proof@v1" || lines[1] !== `index ${index}`) throw new Broken(`it is no proof of entry ${index}`);
    if (proof.slice(gap + 2) !== this.checkpoint.text) throw new Broken("its checkpoint is not the one of this folder");
    const root = await rootOfInclusion(leaf, index, this.checkpoint.size, lines.slice(2).map(unbase64));
    if (!root || !same(root, this.checkpoint.root)) throw new Broken(`entry ${index} is not what the log holds at that place`);
    return true;
  }
  async body(shown, index) {
    if (!shown.entry.body) return;
    shown.shredded = this.asked.shredded.includes(index);
    if (shown.shredded) return;
    this.wanted.add(`data/bodies/${pad(index)}.body`);
    if (this.asked.disclosed.includes(index)) this.wanted.add(`data/keys/${pad(index)}.key`);
    const body = await this.attempt(`data/bodies/${pad(index)}.body`, async (bytes) => {
      if (hex(await sha256(bytes)) !== shown.entry.body) throw new Broken(`it is not the body whose hash entry ${index} holds`);
      return bytes;
    });
    if (!body || !this.asked.disclosed.includes(index)) return;
    shown.body = await this.attempt(`data/keys/${pad(index)}.key`, async (key) => {
      try {
        return await openBody(body, unhex(text(key).trim()), shown.entry);
      } catch {
        throw new Broken(`it does not open the body of entry ${index}`);
      }
    });
    if (shown.body && this.carries(shown.entry) && namesOne(shown.body, this.asked)) this.shownIn.add(shown.entry.epoch);
  }
  // Nothing is there that the question does not account for; the policy's files are those of the version that ruled.
  async strays() {
    for (const name of this.files.keys()) {
      const elsewhere = !name.startsWith("data/") || /^data\/(policies\/|range\/\d{12}\.entries$)/.test(name);
      if (!elsewhere && !this.wanted.has(name)) this.find(name, `${name} belongs to nothing here`);
      if (name.startsWith("data/policies/") && !this.asked.policies.includes(name.slice(14))) this.find(name, `${name} is no file of the policy that ruled`);
    }
    const parts = [];
    for (const name of [...this.asked.policies].sort()) {
      const content = await this.read(`data/policies/${name}`);
      if (!content) return;
      parts.push(utf8.encode(`${name}\0${content.length}\0`), content);
    }
    if (parts.length && hex(await sha256(join(...parts))) !== this.asked.policy) {
      this.find("data/policies/", `the files in data/policies/ are not the policy ${this.asked.policy.slice(0, 12)} that ruled`);
    }
  }
  async earlier() {
    for (const name of this.files.keys()) {
      const match = /^data\/earlier\/(\d+)\.checkpoint$/.exec(name);
      if (!match) continue;
      this.wanted.add(name).add(name.replace(/checkpoint$/, "proof"));
      const proof = await this.attempt(name.replace(/checkpoint$/, "proof"), proofLines);
      await this.attempt(name, async (bytes) => {
        const old = parseCheckpoint(text(bytes));
        await this.byTheLog(old);
        if (String(old.size) !== match[1]) throw new Broken(`it covers ${old.size} entries`);
        if (proof && !await isConsistent(old.size, this.checkpoint.size, old.root, this.checkpoint.root, proof)) {
          throw new Broken("the log did not merely grow since: two histories were signed");
        }
      });
    }
  }
}
