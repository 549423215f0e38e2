// A client of MQTT 5.0 over the console's WebSocket: connects, publishes, subscribes, keeps itself alive.

import { Kind, Packets, acknowledge, connect, disconnect, ping, publish, reasonOf, subscribe, unsubscribe } from "./packets.mjs";

const KEEP_ALIVE_SECS = 60;
const ANSWER_MS = 15_000;
const SESSION_BYTES_MAX = 16 << 20;

/** Events: `message` with a packet in `detail`, `closed` with a reason. Each request is a promise of its answer. */
export class Terminal extends EventTarget {
  #socket;
  #packets = new Packets();
  #waiting = new Map();
  #ids = 0;
  #timer;
  #received = new Set();
  #why;

  /** Opens the connection; the promise is kept with the CONNACK. */
  open(clientId, cleanStart) {
    const url = new URL("api/v1/console", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.hash = "";
    this.#socket = new WebSocket(url, ["mqtt"]);
    this.#socket.binaryType = "arraybuffer";
    const properties = { maximum_packet_size: SESSION_BYTES_MAX, session_expiry: cleanStart ? 0 : 3600 };
    this.#socket.addEventListener("open", () => this.#send(connect({ clientId, cleanStart, keepAliveSecs: KEEP_ALIVE_SECS, properties })));
    this.#socket.addEventListener("message", (event) => this.#take(new Uint8Array(event.data)));
    this.#socket.addEventListener("close", (event) => this.#closed(event.reason));
    return this.#answer("connect");
  }

  close() {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#send(disconnect());
      this.#why ??= "closed by you";
    }
    this.#socket?.close();
  }

  publish(message) {
    if (message.qos === 0) {
      this.#send(publish(message));
      return Promise.resolve({ reason: 0, properties: {} });
    }
    const id = this.#fresh();
    this.#send(publish({ ...message, id }));
    return this.#answer(id);
  }

  subscribe(options) {
    const id = this.#fresh();
    this.#send(subscribe({ ...options, id }));
    return this.#answer(id);
  }

  unsubscribe(filter) {
    const id = this.#fresh();
    this.#send(unsubscribe({ id, filter }));
    return this.#answer(id);
  }

  #send(bytes) {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Error("The console is not connected.");
    this.#socket.send(bytes);
  }

  #fresh() {
    do this.#ids = (this.#ids % 65_535) + 1;
    while (this.#waiting.has(this.#ids));
    return this.#ids;
  }

  #answer(key) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(key, undefined, new Error("The broker did not answer in time.")), ANSWER_MS);
      this.#waiting.set(key, { resolve, reject, timer });
    });
  }

  #settle(key, packet, error) {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    this.#waiting.delete(key);
    clearTimeout(waiting.timer);
    if (error) waiting.reject(error);
    else waiting.resolve(packet);
  }

  #take(data) {
    try {
      for (const packet of this.#packets.take(data)) this.#handle(packet);
    } catch (error) {
      this.#why = `The broker sent what cannot be read: ${error.message}`;
      this.#socket.close();
    }
  }

  #handle(packet) {
    switch (packet.kind) {
      case Kind.CONNACK:
        return this.#begun(packet);
      case Kind.PUBLISH:
        return this.#arrived(packet);
      case Kind.PUBREC:
        if (packet.reason >= 0x80) return this.#settle(packet.id, packet);
        return this.#send(acknowledge(Kind.PUBREL, packet.id));
      case Kind.PUBREL:
        this.#received.delete(packet.id);
        return this.#send(acknowledge(Kind.PUBCOMP, packet.id));
      case Kind.DISCONNECT:
        this.#why = reasonOf(packet.reason, packet.properties);
        return undefined;
      case Kind.PINGRESP:
        return undefined;
      default:
        return this.#settle(packet.id, packet);
    }
  }

  #begun(packet) {
    if (packet.reason !== 0) {
      this.#why = reasonOf(packet.reason, packet.properties);
      return this.#settle("connect", undefined, new Error(`The broker refused the console: ${this.#why}.`));
    }
    const secs = packet.properties.server_keep_alive ?? KEEP_ALIVE_SECS;
    if (secs > 0) this.#timer = setInterval(() => this.#send(ping()), secs * 500);
    return this.#settle("connect", packet);
  }

  #arrived(packet) {
    const isNew = packet.qos < 2 || !this.#received.has(packet.id);
    if (packet.qos === 1) this.#send(acknowledge(Kind.PUBACK, packet.id));
    if (packet.qos === 2) {
      this.#received.add(packet.id);
      this.#send(acknowledge(Kind.PUBREC, packet.id));
    }
    if (isNew) this.dispatchEvent(new CustomEvent("message", { detail: packet }));
  }

  #closed(said) {
    clearInterval(this.#timer);
    const why = this.#why || said || "the connection is gone";
    for (const key of [...this.#waiting.keys()]) this.#settle(key, undefined, new Error(`No answer: ${why}.`));
    this.dispatchEvent(new CustomEvent("closed", { detail: why }));
  }
}
