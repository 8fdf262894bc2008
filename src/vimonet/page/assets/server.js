// What the page asks of `vimonet serve`; a page that is one file asks nothing.

const data = document.getElementById("data");
export const EMBEDDED = data ? JSON.parse(data.textContent) : null;

let token = "";
let serverModel = "";
let serverCompares = false;

export class ServerError extends Error {
  constructor(status, message, code = "") {
    super(message);
    Object.assign(this, { status, code });
  }
}

export function setToken(value) {
  token = value;
}

// Fetch from the server, with its token; a refusal is a ServerError with the server's own words.
export async function call(path, { signal, ...options } = {}) {
  const headers = { ...(options.headers ?? {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "The server does not answer; is it still running?");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? (typeof body?.detail === "string" ? body.detail : `The server answers with ${response.status}.`);
  const wait = response.headers.get("Retry-After");
  throw new ServerError(response.status, response.status === 429 && wait ? `The server is busy; try again in ${wait} s.` : message, body?.error?.code);
}

const json = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// What this server has beside answers: samples to pick, an index to search.
export async function abilities() {
  const found = await (await call("/v1/page")).json();
  serverModel = found.model || serverModel;
  serverCompares = found.compares;
  return found;
}

// Whether the model answers one question about two recordings.
export const comparesClips = () => serverCompares;

export async function sample(name) {
  const response = await call(`/v1/page/samples/${encodeURIComponent(name)}`);
  return fileOf(response, name);
}

async function fileOf(response, name) {
  return new File([await response.blob()], decodeURIComponent(response.headers.get("X-File-Name") ?? name));
}

export async function documentOf(file) {
  const form = new FormData();
  form.append("file", file, file.name);
  return (await call("/v1/motion/document", { method: "POST", body: form })).json();
}

export async function find(query, count = 12) {
  return (await call("/v1/page/search", json({ query, k: count }))).json();
}

export async function indexed(entry) {
  return (await call(`/v1/page/recordings/${entry}`)).json();
}

export async function indexedFile(entry) {
  return fileOf(await call(`/v1/page/recordings/${entry}/file`), "recording");
}

// ---- recordings of a chat: sent once, kept by the server while they are open here

const STAY = 1800; // s after which the server forgets one by itself; it is then sent again
const uploads = new Map(); // File -> { sent: promise of the id, id }

function upload(file) {
  if (!uploads.has(file)) {
    const form = new FormData();
    form.append("expires_after[anchor]", "created_at");
    form.append("expires_after[seconds]", String(STAY));
    form.append("file", file, file.name);
    const held = { id: null };
    held.sent = call("/v1/files", { method: "POST", body: form }).then(async (response) => (held.id = (await response.json()).id));
    uploads.set(file, held);
  }
  return uploads.get(file).sent;
}

// Let the server forget a recording that is closed.
export function forget(file) {
  const held = uploads.get(file);
  uploads.delete(file);
  if (held?.id) call(`/v1/files/${held.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

addEventListener("pagehide", () => [...uploads.keys()].forEach(forget));

async function dataUrl(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return `data:application/octet-stream;name=${encodeURIComponent(file.name)};base64,${btoa(text)}`;
}

// Call `ask` with the addresses of recordings: their uploads, sent again if the server has forgotten one, or the
// recordings themselves where uploads are full, or lie on another server behind the same address.
async function withAddresses(files, ask) {
  for (let tries = 0; tries < 2; tries++) {
    try {
      return await ask(await Promise.all(files.map(upload)));
    } catch (error) {
      files.forEach(forget); // deletes what the server still holds
      if (error.code === "storage_full") break;
      if (error.code !== "file_not_found") throw error;
    }
  }
  return ask(await Promise.all(files.map(dataUrl)));
}

// Ask in a chat about one recording or several at once; `turns` are [question, answer] so far. Yields { text } pieces,
// then { answer }.
export async function* ask(files, turns, question, signal) {
  if (!serverModel) await abilities(); // it was still loading when the page was opened
  const shown = (urls) =>
    urls.map((url, k) => {
      const kind = isVideo(files[k].name) ? "video_url" : "motion_url";
      return { type: kind, [kind]: { url } };
    });
  const messages = (urls) =>
    [...turns, [question, null]].flatMap(([asked, answered], turn) => [
      { role: "user", content: turn ? asked : [...shown(urls), { type: "text", text: asked }] },
      ...(answered === null ? [] : [{ role: "assistant", content: answered }]),
    ]);
  const response = await withAddresses(files, (urls) => call("/v1/chat/completions", { ...json({ model: serverModel, messages: messages(urls), stream: true }), signal }));
  let answer = null;
  let text = "";
  for await (const event of serverEvents(response)) {
    if (event.error) throw new ServerError(500, event.error.message ?? "The server could not answer.");
    const choice = event.choices?.[0];
    const piece = choice?.delta?.content ?? "";
    answer = event.vimonet ?? answer;
    if (piece) {
      text += piece;
      yield { text: piece };
    }
  }
  yield { answer: { question, ...(answer ?? { text, provenance: "model", confidence: null, evidence: [] }) } };
}

// The JSON of server-sent events.
export async function* serverEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (waiting + value).split(/\r?\n/);
    waiting = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const body = line.slice(5).trim();
      if (body === "[DONE]") return;
      yield JSON.parse(body);
    }
  }
}

export function isVideo(name) {
  return /\.(mp4|mov|m4v|mkv|webm|avi|gif|mpg|mpeg|3gp|ts)$/i.test(name);
}
