// Asks for the overview at a steady pace while somebody is logged in, and keeps what came for the charts.

import { connection, get } from "./api.mjs";
import { session } from "./session.mjs";

const INTERVAL_MS = 2000;
const SAMPLES_MAX = 150;

/** `sample` as an event; `latest` is the last answer, `samples` the points of the charts. */
export const sampler = Object.assign(new EventTarget(), { latest: undefined, samples: [], lostSince: undefined });

let timer;
let before;

function rate(now, past, secs) {
  return now === undefined || past === undefined || secs <= 0 ? undefined : Math.max(0, now - past) / secs;
}

function note(answer, at) {
  const isSame = before && before.answer.started_at === answer.started_at;
  const secs = isSame ? (at - before.at) / 1000 : 0;
  const of = (pick) => (isSame ? rate(pick(answer), pick(before.answer), secs) : undefined);
  sampler.samples.push({
    at,
    messagesIn: of((o) => o.messages?.received_total),
    messagesOut: of((o) => o.messages?.sent_total),
    dropped: of((o) => (o.messages?.dropped_total ?? 0) + (o.messages?.refused_total ?? 0)),
    bytesIn: of((o) => o.bytes?.received_total),
    bytesOut: of((o) => o.bytes?.sent_total),
    connections: answer.connections,
    queued: answer.queued,
    inflight: answer.inflight,
  });
  if (sampler.samples.length > SAMPLES_MAX) sampler.samples.shift();
  before = { answer, at };
  sampler.latest = answer;
  sampler.dispatchEvent(new Event("sample"));
}

async function look() {
  clearTimeout(timer);
  if (!session.role) return;
  try {
    if (!document.hidden || connection.isLost) note(await get("/overview"), Date.now());
  } catch {
    // The banner of the connection says what there is to say; the next look follows.
  }
  timer = setTimeout(look, INTERVAL_MS);
}

/** Looks at once, for example after something was changed. */
export const refresh = () => void look();

session.addEventListener("change", () => {
  if (session.role) return look();
  clearTimeout(timer);
  sampler.samples = [];
  sampler.latest = before = undefined;
});
document.addEventListener("visibilitychange", () => document.hidden || look());
