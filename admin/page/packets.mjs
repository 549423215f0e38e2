// MQTT 5.0 in bytes: what a console sends and what it is sent.

const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const Kind = {
  CONNECT: 1, CONNACK: 2, PUBLISH: 3, PUBACK: 4, PUBREC: 5, PUBREL: 6, PUBCOMP: 7,
  SUBSCRIBE: 8, SUBACK: 9, UNSUBSCRIBE: 10, UNSUBACK: 11, PINGREQ: 12, PINGRESP: 13, DISCONNECT: 14,
};

/** Properties by identifier: name and type. `user` and `subscription_id` may come several times. */
const PROPERTIES = new Map([
  [1, ["payload_format", "byte"]], [2, ["message_expiry", "four"]], [3, ["content_type", "text"]], [8, ["response_topic", "text"]],
  [9, ["correlation_data", "data"]], [11, ["subscription_id", "varint"]], [17, ["session_expiry", "four"]],
  [18, ["assigned_client_id", "text"]], [19, ["server_keep_alive", "two"]], [21, ["authentication_method", "text"]],
  [22, ["authentication_data", "data"]], [26, ["response_information", "text"]], [28, ["server_reference", "text"]],
  [31, ["reason", "text"]], [33, ["receive_maximum", "two"]], [34, ["topic_alias_maximum", "two"]], [35, ["topic_alias", "two"]],
  [36, ["maximum_qos", "byte"]], [37, ["retain_available", "byte"]], [38, ["user", "pair"]], [39, ["maximum_packet_size", "four"]],
  [40, ["wildcard_available", "byte"]], [41, ["subscription_ids_available", "byte"]], [42, ["shared_available", "byte"]],
]);
const NUMBERS = new Map([...PROPERTIES].map(([number, [name, type]]) => [name, [number, type]]));

class Writer {
  bytes = [];

  byte(value) {
    this.bytes.push(value & 0xff);
    return this;
  }

  two(value) {
    return this.byte(value >> 8).byte(value);
  }

  four(value) {
    return this.two(value >>> 16).two(value & 0xffff);
  }

  varint(value) {
    do {
      const low = value % 128;
      value = Math.floor(value / 128);
      this.byte(low | (value > 0 ? 128 : 0));
    } while (value > 0);
    return this;
  }

  raw(data) {
    for (const one of data) this.bytes.push(one);
    return this;
  }

  data(data) {
    if (data.length > 65_535) throw new RangeError("A text of MQTT has at most 65,535 bytes.");
    return this.two(data.length).raw(data);
  }

  text(text) {
    return this.data(utf8.encode(text));
  }

  pair([name, value]) {
    return this.text(name).text(value);
  }

  properties(values = {}) {
    const inner = new Writer();
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined || value === "") continue;
      const [number, type] = NUMBERS.get(name);
      for (const one of name === "user" ? value : [value]) inner.byte(number)[type](one);
    }
    return this.varint(inner.bytes.length).raw(inner.bytes);
  }

  packet(kind, flags = 0) {
    return Uint8Array.from(new Writer().byte((kind << 4) | flags).varint(this.bytes.length).bytes.concat(this.bytes));
  }
}

export function connect({ clientId, keepAliveSecs, cleanStart = true, properties }) {
  const body = new Writer().text("MQTT").byte(5).byte(cleanStart ? 2 : 0).two(keepAliveSecs);
  return body.properties(properties).text(clientId).packet(Kind.CONNECT);
}

export function publish({ topic, payload, qos = 0, retain = false, dup = false, id, properties }) {
  const body = new Writer().text(topic);
  if (qos > 0) body.two(id);
  const head = body.properties(properties).packet(Kind.PUBLISH, (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0));
  // The payload is not copied byte by byte into a list: it may be long.
  const inner = body.bytes.length + payload.length;
  const start = Uint8Array.from(new Writer().byte(head[0]).varint(inner).raw(body.bytes).bytes);
  const packet = new Uint8Array(start.length + payload.length);
  packet.set(start);
  packet.set(payload, start.length);
  return packet;
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP. */
export const acknowledge = (kind, id) => new Writer().two(id).packet(kind, kind === Kind.PUBREL ? 2 : 0);

export function subscribe({ id, filter, qos = 0, noLocal = false, retainAsPublished = false, retainHandling = 0, subscriptionId }) {
  const options = qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
  return new Writer().two(id).properties({ subscription_id: subscriptionId }).text(filter).byte(options).packet(Kind.SUBSCRIBE, 2);
}

export const unsubscribe = ({ id, filter }) => new Writer().two(id).properties().text(filter).packet(Kind.UNSUBSCRIBE, 2);

export const ping = () => new Writer().packet(Kind.PINGREQ);

export const disconnect = () => new Writer().packet(Kind.DISCONNECT);

class Reader {
  constructor(data) {
    Object.assign(this, { all: data, at: 0 });
  }

  get left() {
    return this.all.length - this.at;
  }

  byte() {
    if (this.left < 1) throw new RangeError("A packet ends too soon.");
    return this.all[this.at++];
  }

  two() {
    return (this.byte() << 8) | this.byte();
  }

  four() {
    return this.two() * 65_536 + this.two();
  }

  varint() {
    let value = 0;
    for (let factor = 1; factor <= 2_097_152; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError("A length is too long.");
  }

  raw(length) {
    if (this.left < length) throw new RangeError("A packet ends too soon.");
    return this.all.subarray(this.at, (this.at += length));
  }

  data() {
    return this.raw(this.two()).slice();
  }

  text() {
    return strict.decode(this.raw(this.two()));
  }

  pair() {
    return [this.text(), this.text()];
  }

  properties() {
    const length = this.varint();
    const end = this.at + length;
    const values = {};
    while (this.at < end) {
      const number = this.varint();
      const [name, type] = PROPERTIES.get(number) ?? [];
      if (!name) throw new RangeError(`There is no property ${number}.`);
      const value = this[type]();
      if (name === "user" || name === "subscription_id") (values[name] ??= []).push(value);
      else values[name] = value;
    }
    return values;
  }
}

function decode(kind, flags, body) {
  const reader = new Reader(body);
  const packet = { kind };
  if (kind === Kind.CONNACK) {
    return { ...packet, sessionPresent: (reader.byte() & 1) === 1, reason: reader.byte(), properties: reader.properties() };
  }
  if (kind === Kind.PUBLISH) {
    const qos = (flags >> 1) & 3;
    Object.assign(packet, { qos, retain: (flags & 1) === 1, dup: (flags & 8) !== 0, topic: reader.text() });
    if (qos > 0) packet.id = reader.two();
    packet.properties = reader.properties();
    packet.payload = reader.raw(reader.left).slice();
    return packet;
  }
  if (kind === Kind.SUBACK || kind === Kind.UNSUBACK) {
    return { ...packet, id: reader.two(), properties: reader.properties(), reasons: [...reader.raw(reader.left)] };
  }
  if (kind >= Kind.PUBACK && kind <= Kind.PUBCOMP) packet.id = reader.two();
  if (kind !== Kind.PINGRESP) {
    packet.reason = reader.left > 0 ? reader.byte() : 0;
    packet.properties = reader.left > 0 ? reader.properties() : {};
  }
  return packet;
}

/** Bytes in pieces to packets. */
export class Packets {
  #rest = new Uint8Array(0);

  take(data) {
    const all = new Uint8Array(this.#rest.length + data.length);
    all.set(this.#rest);
    all.set(data, this.#rest.length);
    const found = [];
    let at = 0;
    for (let whole; (whole = frame(all, at)); at = whole.end) {
      found.push(decode(all[at] >> 4, all[at] & 15, all.subarray(whole.start, whole.end)));
    }
    this.#rest = all.slice(at);
    return found;
  }
}

function frame(all, at) {
  const reader = new Reader(all.subarray(at, at + 5));
  if (reader.left < 2) return undefined;
  reader.byte();
  try {
    const length = reader.varint();
    const start = at + reader.at;
    return start + length <= all.length ? { start, end: start + length } : undefined;
  } catch (error) {
    if (reader.left > 0 || at + 5 <= all.length) throw error;
    return undefined;
  }
}

const REASONS = {
  0x00: "success", 0x01: "granted QoS 1", 0x02: "granted QoS 2", 0x04: "disconnected with will", 0x10: "no matching subscribers",
  0x11: "no subscription existed", 0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error", 0x83: "refused",
  0x85: "client identifier not valid", 0x86: "bad user name or password", 0x87: "not authorized", 0x88: "server unavailable",
  0x89: "server busy", 0x8a: "banned", 0x8b: "server shutting down", 0x8d: "keep alive timeout", 0x8e: "session taken over",
  0x8f: "topic filter invalid", 0x90: "topic name invalid", 0x91: "packet identifier in use", 0x92: "packet identifier not found",
  0x93: "receive maximum exceeded", 0x94: "topic alias invalid", 0x95: "packet too large", 0x96: "message rate too high",
  0x97: "quota exceeded", 0x98: "administrative action", 0x99: "payload format invalid", 0x9a: "retain not supported",
  0x9b: "QoS not supported", 0x9c: "use another server", 0x9d: "server moved", 0x9e: "shared subscriptions not supported",
  0x9f: "connection rate exceeded", 0xa0: "maximum connect time", 0xa1: "subscription identifiers not supported",
  0xa2: "wildcard subscriptions not supported",
};

/** A reason code in words, with the broker's own if it gave any. */
export function reasonOf(code, properties = {}) {
  const words = `${REASONS[code] ?? "unknown"} (0x${code.toString(16).padStart(2, "0").toUpperCase()})`;
  return properties.reason ? `${words}: ${properties.reason}` : words;
}
