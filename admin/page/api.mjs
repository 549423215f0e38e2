// The broker's HTTP interface: requests, streams of events, and whether the broker can be reached.

const BASE = "api/v1";
const TIMEOUT_MS = 15_000;
const PAUSE_MS_MAX = 10_000;

/** What the broker refused, or that it did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(status, code, message, retryAfterSecs) {
    super(message);
    Object.assign(this, { status, code, retryAfterSecs });
  }
}

/** `reached`, `lost` and `denied` (nobody is logged in) as events. */
export const connection = Object.assign(new EventTarget(), { isLost: false });

function reached() {
  if (!connection.isLost) return;
  connection.isLost = false;
  connection.dispatchEvent(new Event("reached"));
}

function lost() {
  if (connection.isLost) return;
  connection.isLost = true;
  connection.dispatchEvent(new Event("lost"));
}

export function urlOf(path, query = {}) {
  // As part of a path, these client identifiers would be directories.
  const dots = /^\/clients\/(\.\.?)(\/.*)?$/.exec(path);
  if (dots) return urlOf(`/client${dots[2] ?? ""}`, { ...query, client_id: dots[1] });
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const search = new URLSearchParams(pairs).toString();
  return `${BASE}${path}${search ? `?${search}` : ""}`;
}

async function send(method, path, { query, body, signal, timeoutMs = TIMEOUT_MS } = {}) {
  const signals = [signal, timeoutMs ? AbortSignal.timeout(timeoutMs) : undefined].filter(Boolean);
  const headers = { "X-Strowger": "1", Accept: timeoutMs ? "application/json" : "text/event-stream" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(urlOf(path, query), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.any(signals),
    });
  } catch (error) {
    if (signal?.aborted) throw new ApiError(0, "aborted", "Cancelled.");
    lost();
    const late = error.name === "TimeoutError";
    throw new ApiError(0, "unreachable", late ? "The broker did not answer in time." : "The broker cannot be reached.");
  }
}

async function failure(response) {
  const retry = Number(response.headers.get("Retry-After")) || undefined;
  let said = {};
  try {
    said = (await response.json()).error ?? {};
  } catch {
    // An answer without a reason has its status to speak for it.
  }
  const message = said.message ?? `The broker answered ${response.status} ${response.statusText}.`;
  return new ApiError(response.status, said.code ?? "unknown", message, retry);
}

/** Asks; answers with what the broker said, or throws an `ApiError`. */
export async function request(method, path, options) {
  const response = await send(method, path, options);
  reached();
  if (!response.ok) {
    const error = await failure(response);
    if (error.status === 401 && path !== "/login") connection.dispatchEvent(new Event("denied"));
    throw error;
  }
  if (response.status === 204) return undefined;
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}

export const get = (path, query, signal) => request("GET", path, { query, signal });
export const post = (path, body, query) => request("POST", path, { body, query });
export const put = (path, body, query) => request("PUT", path, { body, query });
export const del = (path, query, body) => request("DELETE", path, { query, body });

/** Waits, or ends at once when the signal says so. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** Text in pieces to events of a stream of events. */
export class Events {
  #rest = "";

  take(text) {
    this.#rest += text.replaceAll("\r\n", "\n");
    const blocks = this.#rest.split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(read).filter((event) => event.data !== undefined);
  }
}

function read(block) {
  const event = { name: "message", data: undefined };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const [name, value] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    if (name === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    if (name === "event") event.name = value;
  }
  return event;
}

async function follow(response, onEvent) {
  const events = new Events();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of events.take(value)) onEvent(event);
  }
}

/**
 * Follows a stream of events until the signal ends it, and begins anew when it breaks off. `onState` is told "open",
 * "waiting" with a reason, or "refused".
 */
export async function stream(path, { query, signal, onEvent, onState = () => {} }) {
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, PAUSE_MS_MAX)) {
    try {
      const response = await send("GET", path, { query, signal, timeoutMs: 0 });
      reached();
      if (!response.ok) throw await failure(response);
      onState("open");
      wait = 500;
      await follow(response, onEvent);
      onState("waiting", "The stream has ended.");
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 401) connection.dispatchEvent(new Event("denied"));
      if (error.status >= 400 && error.status < 500 && error.status !== 429) return onState("refused", error.message);
      onState("waiting", error instanceof ApiError ? error.message : "The stream broke off.");
    }
    await pause(wait, signal);
  }
}
