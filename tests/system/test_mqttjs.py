"""MQTT.js against the broker, in 3.1.1 and 5.0; the stories are told in mqttjs/exchange.mjs."""

import os
import pathlib

import exchange
import pytest

HERE = pathlib.Path(__file__).resolve().parent
MQTTJS_DIR = exchange.ROOT / "tests/.cache/node"


@pytest.mark.parametrize("story", ["qos0", "qos1", "qos2", "retained", "will", "shared"])
@pytest.mark.parametrize("level", [4, 5], ids=["v311", "v5"])
def test_mqttjs(broker, name, level, story):
    assert (MQTTJS_DIR / "node_modules/mqtt").exists(), "MQTT.js is missing: run scripts/prepare"
    environment = {**os.environ, "MQTTJS_DIR": str(MQTTJS_DIR)}
    done = exchange.run("node", HERE / "mqttjs/exchange.mjs", broker.port, level, story, name, env=environment)
    assert done.returncode == 0, done.stderr
