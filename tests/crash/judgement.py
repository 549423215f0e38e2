"""The checks at the end of a run: they read the ledger and add findings."""

from ledger import NEVER


def judge(ledger):
    """All checks that need the whole history; order, damage and sessions were judged when they were seen."""
    for members in sessions_and_groups(ledger):
        if members[0].group:
            judge_group(ledger, members)
        else:
            judge_receiver(ledger, members[0])
    judge_retained(ledger)


def outstanding(ledger):
    """How many messages are still due to somebody."""
    return sum(
        1 for members in sessions_and_groups(ledger) for one in due_to(ledger, members) if not count(members, one)
    )


def sessions_and_groups(ledger):
    """The receivers by who has to get each message: a session alone, or any member of a shared group."""
    groups = {}
    for receiver in ledger.receivers:
        groups.setdefault(receiver.group or receiver, []).append(receiver)
    return list(groups.values())


def due_to(ledger, members):
    """What was acknowledged and began to be sent when the subscription that still stands had been granted."""
    since = min(one.open_since() for one in members)
    return (one for one in messages_of(ledger, members[0]) if one.acked != NEVER and one.sent > since)


def count(members, message):
    return sum(one.count(message) for one in members)


def judge_receiver(ledger, receiver):
    """Every message of the subscription's time once at least, none of another time, QoS 2 once."""
    came_lately = {True: 0, False: 0}
    for message in due_to(ledger, [receiver]):
        is_there = receiver.count(message) > 0
        came_lately[is_there] += message.kills_sent == ledger.kills
        if not is_there:
            where = whereabouts(ledger, receiver, message)
            ledger.find("lost", f"{ledger.describe(message)}: {receiver.name} never got it; {where}")
    if came_lately[False] and not came_lately[True]:
        ledger.find("subscription", f"{receiver.name}: nothing came after the last restart; its subscription is gone")
    for message in messages_of(ledger, receiver):
        times = receiver.count(message)
        if is_doubled(message, receiver.qos, times):
            ledger.find("doubled", f"{ledger.describe(message)}: {receiver.name} got it {times} times at QoS 2")
        if times and not any(may_match(message, one) for one in receiver.intervals):
            ledger.find("unsubscribed", f"{ledger.describe(message)}: {receiver.name} got it without a subscription")


def judge_group(ledger, members):
    """Every message to one member at least; to exactly one where QoS 2 goes all the way."""
    name, qos = members[0].group, min(one.qos for one in members)
    for message in due_to(ledger, members):
        if not count(members, message):
            ledger.find("lost", f"{ledger.describe(message)}: no member of the shared group {name} got it")
    for message in messages_of(ledger, members[0]):
        if is_doubled(message, qos, count(members, message)):
            who = ", ".join(f"{one.name} {one.count(message)}" for one in members if one.count(message))
            ledger.find("doubled", f"{ledger.describe(message)}: the shared group {name} got it more than once: {who}")


def messages_of(ledger, receiver):
    for stream in ledger.streams:
        if stream.topic in receiver.topics:
            yield from stream.messages


def is_doubled(message, qos, times):
    """Exactly once holds where QoS 2 goes all the way; what was published with QoS 1 is delivered with QoS 1."""
    return times > 1 and qos == 2 and message.stream.qos == 2


def may_match(message, interval):
    """Whether some moment at which the message may have taken effect lies in the subscription's life."""
    return message.sent <= interval.ended and message.settled >= interval.asked


def whereabouts(ledger, receiver, message):
    """Who else got the message, and what the receiver saw of its stream."""
    others = [one.name for one in ledger.receivers if one.count(message)]
    high = receiver.high.get(message.stream.number)
    behind = "nothing of its stream" if high is None else f"of its stream #{high} at the highest"
    return f"seen by {', '.join(others[:4]) or 'nobody'}; {receiver.name} got {behind}"


def judge_retained(ledger):
    """A read is stale where a write was through before it that began after the value read was through."""
    for topic, register in ledger.registers.items():
        for who, message, asked, kills in register.reads:
            through = [one for one in register.writes if one.settled < asked]
            newest = max(through, key=lambda one: one.sent, default=None)
            if newest is None:
                continue
            candidates = [message] if message else [one for one in register.writes if is_erasure(one)]
            if all(one.settled < newest.sent for one in candidates):
                shown = f"#{message.number} of {message.stream.publisher}" if message else "nothing"
                ledger.find("retained", f"{ledger.describe(newest)}: after kill {kills} {who} read {shown} on {topic}")


def is_erasure(message):
    return message.stream.erases and message.number % 2 == 1
