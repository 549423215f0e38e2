// How figures, times and payloads are written.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "short", day: "2-digit" });
const NONE = "\u2013";

export const count = (value) => (value === undefined || value === null ? NONE : whole.format(value));

/** A rate or another figure that may be small. */
export function figure(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return NONE;
  return Math.abs(value) >= 100_000 ? compact.format(value) : Math.abs(value) >= 10 ? whole.format(value) : one.format(value);
}

export function bytes(value) {
  if (value === undefined || value === null || Number.isNaN(value)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(value) : one.format(value)} ${units[unit]}`;
}

/** Seconds as people say them. */
export function duration(secs) {
  if (secs === undefined || secs === null) return NONE;
  if (secs < 1) return `${whole.format(secs * 1000)} ms`;
  const parts = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, size]) => secs >= size);
  return parts
    .slice(first, first + 2)
    .map(([name, size], index) => [Math.floor((index === 0 ? secs : secs % parts[first][1]) / size), name])
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, name]) => `${value} ${name}`)
    .join(" ");
}

/** An instant, short: the time today, else the day and the time. */
export function instant(text) {
  if (!text) return NONE;
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const time = clock.format(at);
  return at.toDateString() === new Date().toDateString() ? time : `${day.format(at)} ${time}`;
}

/** How long ago, or how long from here. */
export function ago(text) {
  if (!text) return NONE;
  const secs = (Date.now() - new Date(text).getTime()) / 1000;
  if (Number.isNaN(secs)) return String(text);
  return secs < 0 ? `in ${duration(Math.ceil(-secs))}` : secs < 1 ? "just now" : `${duration(Math.floor(secs))} ago`;
}

/** The bytes of an answer's payload, which is text or Base64. */
export function payloadOf(message) {
  if (message.payload_base64 !== undefined && message.payload_base64 !== null) {
    return Uint8Array.from(atob(message.payload_base64), (c) => c.charCodeAt(0));
  }
  return new TextEncoder().encode(message.payload ?? "");
}

/** The bytes as text, or nothing if they are none. */
export function textOf(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}

export function base64Of(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
  return btoa(text);
}

/** Offset, sixteen bytes, the same as text: a line each. */
export function hexOf(data, bytesMax = 65_536) {
  const lines = [];
  for (let at = 0; at < Math.min(data.length, bytesMax); at += 16) {
    const row = [...data.subarray(at, at + 16)];
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  if (data.length > bytesMax) lines.push(`and ${count(data.length - bytesMax)} bytes more`);
  return lines.join("\n");
}
