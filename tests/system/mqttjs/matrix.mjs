// What every cell of the matrix of clients tells, with MQTT.js in Node and in a browser.
const same = (got, wanted) => {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    throw new Error(`came ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`);
  }
};

/** The messages of a client as a queue: `await next()` gives the next one. */
function inboxOf(client) {
  const waiting = [];
  const readers = [];
  client.on("message", (name, payload, packet) => {
    const message = [name, payload.toString(), packet.qos, packet.retain];
    const reader = readers.shift();
    reader ? reader(message) : waiting.push(message);
  });
  return () => (waiting.length ? Promise.resolve(waiting.shift()) : new Promise((resolve) => readers.push(resolve)));
}

/** Messages of each QoS, a retained message, a will. */
export async function tell(connectAsync, options, topic) {
  const clients = [];
  const connect = async (more = {}) => {
    const client = await connectAsync({ reconnectPeriod: 0, connectTimeout: 8000, ...options, ...more });
    clients.push(client);
    return client;
  };
  const [sub, pub] = [await connect(), await connect()];
  const next = inboxOf(sub);
  await sub.subscribeAsync(`${topic}/+`, { qos: 2 });
  for (const qos of [0, 1, 2]) {
    await pub.publishAsync(`${topic}/through`, `at ${qos}`, { qos });
    same(await next(), [`${topic}/through`, `at ${qos}`, qos, false]);
  }
  const large = "x".repeat(100_000);
  await pub.publishAsync(`${topic}/large`, large, { qos: 1 });
  same((await next())[1].length, large.length);
  await pub.publishAsync(`${topic}/kept`, "kept", { qos: 1, retain: true });
  same(await next(), [`${topic}/kept`, "kept", 1, false]);
  const late = await connect();
  const nextLate = inboxOf(late);
  await late.subscribeAsync(`${topic}/kept`, { qos: 1 });
  same(await nextLate(), [`${topic}/kept`, "kept", 1, true]);
  const doomed = await connect({ will: { topic: `${topic}/will`, payload: "gone", qos: 1, retain: false } });
  doomed.on("error", () => {});
  doomed.stream.destroy();
  same(await next(), [`${topic}/will`, "gone", 1, false]);
  for (const client of clients) client.end(true);
}
