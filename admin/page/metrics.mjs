// What the broker counts for Prometheus, where the page shows more than the overview says: delays, and where copies are.

const LINE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;
const DELIVERY = "strowger_delivery_seconds_bucket";

/** The page of metrics as a map from name to `{ labels, value }`; undefined where the broker shows none. */
export async function read(signal) {
  try {
    const response = await fetch("metrics", { cache: "no-store", credentials: "same-origin", signal });
    return response.ok ? parse(await response.text()) : undefined;
  } catch {
    return undefined;
  }
}

export function parse(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    const [, name, labels = "", value] = found;
    if (!families.has(name)) families.set(name, []);
    families.get(name).push({ labels: Object.fromEntries([...labels.matchAll(LABEL)].map(([, key, text]) => [key, text])), value: Number(value) });
  }
  return families;
}

/** The sum over lines and other labels, as far as `pick` wants them; undefined where there is no such family. */
export function sum(families, name, pick = () => true) {
  const found = families?.get(name);
  return found?.filter(({ labels }) => pick(labels)).reduce((total, { value }) => total + value, 0);
}

/** Deliveries by the bound of their bucket, in seconds, cumulated. */
function buckets(families) {
  const bounds = new Map();
  for (const { labels, value } of families?.get(DELIVERY) ?? []) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    bounds.set(bound, (bounds.get(bound) ?? 0) + value);
  }
  return [...bounds].sort(([one], [other]) => one - other);
}

/** The delay that `part` of the deliveries between two readings did not exceed, in seconds; undefined if there were none. */
export function quantile(before, now, part) {
  const past = new Map(buckets(before));
  const grown = buckets(now).map(([bound, value]) => [bound, value - (past.get(bound) ?? 0)]);
  const total = grown.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const rank = part * total;
  let [from, below] = [0, 0];
  for (const [bound, value] of grown) {
    if (value >= rank) return bound === Infinity ? from : from + ((rank - below) / Math.max(1, value - below)) * (bound - from);
    [from, below] = [bound, value];
  }
  return from;
}

/** The terms of the conservation law, as the metrics have them. */
export function lawOf(families, overview) {
  const delivered = sum(families, "strowger_copies_delivered_total");
  if (delivered === undefined) return undefined;
  const dropped = (pick) => sum(families, "strowger_messages_dropped_total", pick) ?? 0;
  return {
    received: (sum(families, "strowger_copies_made_total") ?? 0) + (sum(families, "strowger_copies_restored_total") ?? 0),
    delivered,
    queued: overview.queued,
    inflight: overview.inflight,
    expired: dropped(({ reason }) => /expir/.test(reason)),
    dropped: dropped(({ reason }) => !/expir/.test(reason)),
    // The broker's own count: the figures in the metrics have signs, and two faults may cancel each other there.
    unaccounted: overview.messages?.unaccounted ?? 0,
  };
}
