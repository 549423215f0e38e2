// One story with MQTT.js: node exchange.mjs PORT LEVEL STORY TOPIC
// LEVEL is 4 (3.1.1) or 5. Ends with 0 when the story went as told; says what did not on stderr otherwise.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const { connectAsync } = createRequire(path.join(process.env.MQTTJS_DIR, "x.js"))("mqtt");
const [port, level, story, topic] = process.argv.slice(2);
const protocolVersion = Number(level);

const connect = (options = {}) =>
  connectAsync({ host: "127.0.0.1", port: Number(port), protocolVersion, reconnectPeriod: 0, ...options });

/** The messages of a client as a queue: `await inbox.next()` gives the next one. */
function inboxOf(client) {
  const waiting = [];
  const readers = [];
  client.on("message", (name, payload, packet) => {
    const message = { topic: name, payload: payload.toString(), qos: packet.qos, retain: packet.retain };
    const reader = readers.shift();
    reader ? reader(message) : waiting.push(message);
  });
  return {
    next: () => (waiting.length ? Promise.resolve(waiting.shift()) : new Promise((resolve) => readers.push(resolve))),
    size: () => waiting.length,
  };
}

async function throughAt(qos) {
  const [sub, pub] = [await connect(), await connect()];
  const inbox = inboxOf(sub);
  await sub.subscribeAsync(topic, { qos });
  for (let number = 0; number < 20; number++) await pub.publishAsync(topic, String(number), { qos });
  for (let number = 0; number < 20; number++) {
    assert.deepEqual(await inbox.next(), { topic, payload: String(number), qos, retain: false });
  }
}

const stories = {
  qos0: () => throughAt(0),
  qos1: () => throughAt(1),
  qos2: () => throughAt(2),

  async retained() {
    await (await connect()).publishAsync(topic, "waiting", { qos: 1, retain: true });
    const sub = await connect();
    const inbox = inboxOf(sub);
    await sub.subscribeAsync(topic, { qos: 1 });
    assert.deepEqual(await inbox.next(), { topic, payload: "waiting", qos: 1, retain: true });
  },

  async will() {
    const sub = await connect();
    const inbox = inboxOf(sub);
    await sub.subscribeAsync(topic, { qos: 1 });
    const doomed = await connect({ will: { topic, payload: Buffer.from("gone"), qos: 1, retain: false } });
    doomed.stream.destroy();
    assert.deepEqual(await inbox.next(), { topic, payload: "gone", qos: 1, retain: false });
  },

  async shared() {
    const members = [await connect(), await connect()];
    const seen = [];
    const counts = [0, 0];
    const all = new Promise((resolve) => {
      members.forEach((member, index) =>
        member.on("message", (_name, payload) => {
          counts[index]++;
          seen.push(Number(payload.toString()));
          if (seen.length === 40) resolve();
        }),
      );
    });
    for (const member of members) await member.subscribeAsync(`$share/${topic}/${topic}`, { qos: 1 });
    const pub = await connect();
    for (let number = 0; number < 40; number++) await pub.publishAsync(topic, String(number), { qos: 1 });
    await all;
    assert.deepEqual(seen.sort((a, b) => a - b), Array.from({ length: 40 }, (_, number) => number));
    assert.ok(counts.every((count) => count > 0), `uneven shares: ${counts}`);
  },
};

setTimeout(() => {
  console.error(`${story}: not done within 10 s`);
  process.exit(2);
}, 10_000).unref();
try {
  await stories[story]();
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
