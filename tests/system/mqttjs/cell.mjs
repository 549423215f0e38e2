// One cell of the matrix with MQTT.js in Node: node cell.mjs OPTIONS TOPIC, where OPTIONS is JSON.
// Ends with 0 when the story went as told; says what did not on stderr otherwise.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { tell } from "./matrix.mjs";

const { connectAsync } = createRequire(path.join(process.env.MQTTJS_DIR, "x.js"))("mqtt");
const [text, topic] = process.argv.slice(2);
const options = JSON.parse(text);
if (options.ca) options.ca = readFileSync(options.ca);

setTimeout(() => {
  console.error("not done within 10 s");
  process.exit(2);
}, 10_000).unref();
try {
  await tell(connectAsync, options, topic);
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
