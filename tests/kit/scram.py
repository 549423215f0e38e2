"""The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), for enhanced authentication in MQTT 5.0."""

import base64
import hashlib
import hmac
import secrets

from wire import Kind, Wire, auth, connect

METHOD = "SCRAM-SHA-256"
CONTINUE, AGAIN = 0x18, 0x19


def mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class Scram:
    """One conversation: `first`, then `final` for the broker's challenge, then `proves` for its last word."""

    def __init__(self, name, password, nonce=None):
        self.password = password.encode()
        self.nonce = nonce or secrets.token_urlsafe(18)
        self.bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"
        self.first = f"n,,{self.bare}".encode()
        self.salt = self.rounds = self.server_signature = None

    def final(self, challenge, nonce=None):
        challenge = challenge.decode()
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) >= len(self.nonce) + 16
        self.salt, self.rounds = base64.b64decode(fields["s"]), int(fields["i"])
        unproven = f"c=biws,r={nonce or fields['r']}"
        signed = f"{self.bare},{challenge},{unproven}".encode()
        salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, self.rounds)
        client_key = mac(salted, b"Client Key")
        signature = mac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.server_signature = mac(mac(salted, b"Server Key"), signed)
        return f"{unproven},p={base64.b64encode(proof).decode()}".encode()

    def proves(self, last):
        return last == b"v=" + base64.b64encode(self.server_signature)


def greet(address, client_id, scram, *, method=METHOD, timeout=5.0, **options):
    """A connection that has sent its CONNECT with the first message of `scram`."""
    wire = Wire(address, timeout=timeout)
    wire.send(connect(client_id, authentication_method=method, authentication_data=scram.first, **options))
    return wire


def challenged(wire):
    """The data of the AUTH with which the broker asks for more."""
    asked = wire.expect(Kind.AUTH)
    assert asked.reason == CONTINUE and asked.properties["authentication_method"] == METHOD
    return asked.properties["authentication_data"]


def proof(data, reason=CONTINUE, method=METHOD):
    return auth(reason, authentication_method=method, authentication_data=data)


def enter(address, client_id, name, password, **options):
    """Connects by SCRAM; the CONNACK is in `wire.connack`, and where it lets in, the broker has proven itself."""
    scram = Scram(name, password)
    wire = greet(address, client_id, scram, **options)
    wire.send(proof(scram.final(challenged(wire))))
    wire.connack = wire.expect(Kind.CONNACK)
    if wire.connack.reason == 0:
        assert wire.connack.properties["authentication_method"] == METHOD
        assert scram.proves(wire.connack.properties["authentication_data"])
    return wire
