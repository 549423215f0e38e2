"""What was sent, acknowledged and delivered, and the judgement on it.

A stream is what one publisher sends to one topic: its messages are numbered from 0. The ledger lives in the test's
process, so it outlives every kill. Times are monotonic seconds. A message takes effect in the broker at some moment
between its first sending and the end of its exchange (with QoS 2 that is PUBCOMP: a broker may route at PUBLISH or
at PUBREL); every check allows each such moment and no other. What must not be lost is decided earlier, by PUBREC.
"""

import bisect
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field

EXAMPLES_MAX = 8
NEVER = float("inf")


class Message:
    """One message of a stream. `acked` is the moment of PUBACK or PUBREC, `settled` of PUBACK or PUBCOMP, or NEVER."""

    __slots__ = ("stream", "number", "sent", "acked", "settled", "attempts", "refused", "kills_sent", "kills_acked")

    def __init__(self, stream, number, sent, kills):
        self.stream, self.number, self.sent, self.kills_sent = stream, number, sent, kills
        self.acked, self.settled, self.kills_acked, self.attempts, self.refused = NEVER, NEVER, None, 1, None


class Stream:
    """The messages of one publisher to one topic."""

    def __init__(self, number, publisher, topic, qos, retain, erases=False):
        self.number, self.publisher, self.topic = number, publisher, topic
        self.qos, self.retain, self.erases = qos, retain, erases
        self.messages = []

    def payload(self, number):
        """Stream, number, and a filling that follows from both; empty where the stream erases its topic."""
        if self.erases and number % 2:
            return b""
        head = b"%d %d " % (self.number, number)
        mix = zlib.crc32(head)
        size = 20000 if mix % 256 == 0 else mix % 200 + (1000 if mix % 16 == 0 else 0)
        return head + (b"%08x" % mix) * (size // 8)


@dataclass
class Interval:
    """One life of a subscription, from SUBSCRIBE to UNSUBACK."""

    asked: float
    granted: float = NEVER
    ending: float = NEVER
    ended: float = NEVER


class Receiver:
    """What one session received. `group` names the shared group that it is a member of."""

    def __init__(self, name, topics, qos, group=None):
        self.name, self.topics, self.qos, self.group = name, topics, qos, group
        self.intervals, self.counts, self.high, self.last_seen = [], {}, {}, {}
        self.copies = 0

    def open_since(self):
        """When the subscription that still stands was granted; NEVER where none stands."""
        last = self.intervals[-1] if self.intervals else Interval(asked=NEVER)
        return last.granted if last.ending == NEVER else NEVER

    def may_have_missed(self, message):
        """Whether its first sending, and not the one that came, may have been before the subscription's time."""
        return message.attempts > 1 and bool(self.intervals) and self.intervals[-1].granted > message.sent

    def count(self, message):
        counts = self.counts.get(message.stream.number)
        return counts[message.number] if counts and message.number < len(counts) else 0


@dataclass
class Register:
    """The retained message of one topic, as all its publishers wrote it and as clients read it."""

    writes: list = field(default_factory=list)
    reads: list = field(default_factory=list)


class Ledger:
    """All books, and the findings: what must not be, by kind."""

    def __init__(self):
        self.began = time.monotonic()
        self.streams, self.receivers, self.registers = [], [], {}
        self.kill_times = []
        self.numbers, self.examples = Counter(), {}
        self.seen = Counter()

    @property
    def kills(self):
        return len(self.kill_times)

    def find(self, kind, text):
        """Books a finding; of each kind some are kept word for word."""
        self.numbers[kind] += 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < EXAMPLES_MAX:
            examples.append(text)

    def stream(self, publisher, topic, qos, retain, erases=False):
        one = Stream(len(self.streams), publisher, topic, qos, retain, erases)
        self.streams.append(one)
        return one

    def receiver(self, name, topics, qos, group=None):
        one = Receiver(name, topics, qos, group)
        self.receivers.append(one)
        return one

    def sent(self, stream):
        message = Message(stream, len(stream.messages), time.monotonic(), self.kills)
        stream.messages.append(message)
        if stream.retain:
            self.registers.setdefault(stream.topic, Register()).writes.append(message)
        return message

    def acked(self, message):
        if message.acked == NEVER:
            message.acked, message.kills_acked = time.monotonic(), self.kills
            self.seen["acknowledged"] += 1

    def settled(self, message):
        message.settled = min(message.settled, time.monotonic())

    def refused(self, message, reason):
        message.refused = reason
        self.find("refused", f"{self.describe(message)}: refused with {reason:#04x}")

    def delivered(self, receiver, topic, payload, qos, is_dup):
        """One message that is new to the receiver as far as its protocol can tell."""
        message = self.resolve(topic, payload, receiver.name)
        if message is None:
            return
        if qos != min(receiver.qos, message.stream.qos):
            self.find("protocol", f"{self.describe(message)}: {receiver.name} (QoS {receiver.qos}) got it at QoS {qos}")
        stream, number = message.stream.number, message.number
        counts = receiver.counts.setdefault(stream, bytearray())
        if number >= len(counts):
            counts.extend(bytes(number + 1 - len(counts)))
        high = receiver.high.get(stream, -1)
        if counts[number] == 0 and number < high and not receiver.group and not receiver.may_have_missed(message):
            self.find("disorder", f"{self.describe(message)}: {receiver.name} got it first behind {high}")
        counts[number] = min(255, counts[number] + 1)
        receiver.high[stream] = max(high, number)
        receiver.last_seen[stream] = number
        receiver.copies += 1
        self.seen["delivered"] += 1
        self.seen["delivered with DUP"] += is_dup

    def resolve(self, topic, payload, who):
        """The message with this payload; None, and a finding, where nobody sent such a one."""
        try:
            stream = self.streams[int(payload.split(b" ", 1)[0])]
            message = stream.messages[int(payload.split(b" ", 2)[1])]
        except (ValueError, IndexError):
            self.find("foreign", f"{who} got {payload[:40]!r} on {topic}: nobody sent it")
            return None
        if payload != stream.payload(message.number) or topic != stream.topic:
            self.find("damaged", f"{self.describe(message)}: {who} got {len(payload)} other bytes on {topic}")
            return None
        return message

    def read_retained(self, who, topic, message, asked):
        """A subscription of the time `asked` was given this retained message, or none."""
        self.registers.setdefault(topic, Register()).reads.append((who, message, asked, self.kills))
        self.seen["retained reads"] += 1

    def describe(self, message):
        """Topic, publisher, number, and what became of it when."""
        stream = message.stream
        parts = [f"{stream.topic} {stream.publisher} #{message.number} QoS {stream.qos}"]
        parts.append(f"sent at {message.sent - self.began:.3f} s after kill {message.kills_sent}")
        if message.attempts > 1:
            parts.append(f"{message.attempts} times")
        if message.acked != NEVER:
            later = bisect.bisect_right(self.kill_times, message.acked)
            margin = f", {self.kill_times[later] - message.acked:.3f} s before the next" if later < self.kills else ""
            parts.append(f"acknowledged at {message.acked - self.began:.3f} s after kill {message.kills_acked}{margin}")
        return ", ".join(parts)

    def report(self):
        """Numbers first, then examples of each finding."""
        lines = ["books: " + ", ".join(f"{name} {number}" for name, number in sorted(self.seen.items()))]
        for kind, number in sorted(self.numbers.items()):
            lines.append(f"{kind}: {number}")
            lines += [f"    {text}" for text in self.examples[kind]]
        if not self.numbers:
            lines.append("nothing lost, doubled, out of order or stale")
        return "\n".join(lines)
