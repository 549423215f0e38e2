"""The console: publishing and subscribing by hand from the page."""

import pytest
import wire
from desk import HOSTILE
from playwright.sync_api import expect


def connected(desk, house, role="operator", client_id=None):
    sitting = desk(house, role)
    sitting.go("console")
    page = sitting.page
    if client_id is not None:
        page.get_by_label("Client id").fill(client_id)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("button", name="Disconnect")).to_be_visible()
    return sitting


def subscribe(page, topic_filter, qos="2"):
    form = page.locator("section").filter(has=page.get_by_role("heading", name="Subscribe"))
    form.get_by_label("Topic filter").fill(topic_filter)
    form.get_by_label("QoS").select_option(qos)
    form.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("list", name="Subscriptions of this console")).to_contain_text(topic_filter)


def publish(page, topic, payload, qos="0", retain=False):
    form = page.locator("section").filter(has=page.get_by_role("heading", name="Publish"))
    form.get_by_label("Topic", exact=True).fill(topic)
    form.get_by_label("Payload").fill(payload)
    form.get_by_label("QoS").select_option(qos)
    form.get_by_label("Retain").set_checked(retain)
    form.get_by_role("button", name="Publish").click()


@pytest.mark.parametrize("qos", ["0", "1", "2"])
def test_what_the_console_publishes_it_receives(house, desk, qos):
    sitting = connected(desk, house)
    subscribe(sitting.page, f"own/{qos}/#")
    publish(sitting.page, f"own/{qos}/a", '{"celsius": 21.5}', qos)
    messages = sitting.page.get_by_role("list", name="Messages")
    expect(messages.get_by_role("listitem")).to_have_count(1)
    expect(messages).to_contain_text(f"own/{qos}/a")
    expect(messages).to_contain_text(f"QoS {qos}")
    expect(messages).to_contain_text('"celsius": 21.5')
    sitting.note("Sent." if qos == "0" else "Acknowledged: success")
    expect(messages.get_by_role("listitem")).to_have_count(1)


def test_the_console_and_the_clients_of_the_broker_hear_each_other(house, desk):
    sitting = connected(desk, house)
    other = house.client("other")
    other.send(wire.subscribe(1, [("from/page", 1)]))
    other.expect(wire.Kind.SUBACK)
    publish(sitting.page, "from/page", "hello", "1")
    got = other.expect(wire.Kind.PUBLISH)
    assert (got.topic, got.payload, got.qos) == ("from/page", b"hello", 1)
    subscribe(sitting.page, "to/page")
    other.send(wire.publish("to/page", b"\x00\xff\xfe", content_type="application/octet-stream", user=("a", "b")))
    messages = sitting.page.get_by_role("list", name="Messages")
    expect(messages).to_contain_text("000000  00 ff fe")
    expect(messages).to_contain_text("content type: application/octet-stream, user: a=b")


def test_what_a_device_says_is_text_and_nothing_else(house, desk):
    sitting = connected(desk, house)
    page = sitting.page
    subscribe(page, "#", "0")
    evil = house.client(f"{HOSTILE}-client")
    evil.send(wire.publish(f"{HOSTILE}/topic", f"{HOSTILE}<script>alert(2)</script>", user=(HOSTILE, "javascript:alert(3)")))
    evil.send(wire.publish("reverse/\u202etxt.exe", "seen\u202ereversed"))
    messages = page.get_by_role("list", name="Messages")
    expect(messages).to_contain_text(f"{HOSTILE}/topic")
    expect(messages).to_contain_text("<script>alert(2)</script>")
    expect(messages).to_contain_text("\u27e8U+202E\u27e9txt.exe")
    assert page.locator("main img, main script, main iframe").count() == 0
    publish(page, HOSTILE, HOSTILE)
    expect(messages.get_by_role("listitem")).to_have_count(3)


def test_unsubscribing_and_disconnecting_end_what_comes(house, desk):
    sitting = connected(desk, house)
    page = sitting.page
    subscribe(page, "some/#")
    page.get_by_role("button", name="Unsubscribe from some/#").click()
    expect(page.get_by_role("list", name="Subscriptions of this console").get_by_role("listitem")).to_have_count(0)
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("status").filter(has_text="not connected")).to_contain_text("closed by you")
    expect(page.get_by_role("button", name="Publish")).to_be_disabled()


def test_the_console_is_a_user_of_its_own_in_the_book_of_rights(own_house, desk, tmp_path):
    book = tmp_path / "rights"
    book.write_text("listener admin\nallow subscribe open/#\nuser admin:operator-ann\nallow publish open/#\n")
    sitting = connected(desk, own_house("--set", f"acl.file={book}"))
    page = sitting.page
    subscribe(page, "open/#")
    publish(page, "open/a", "may", "1")
    sitting.note("Acknowledged: success")
    publish(page, "closed/a", "may not", "1")
    sitting.note("not authorized (0x87)")
    expect(page.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(1)


def test_another_client_with_the_same_name_takes_the_session_and_the_page_says_so(house, desk):
    sitting = connected(desk, house, client_id="contested")
    second = connected(desk, house, client_id="contested")
    expect(sitting.page.get_by_role("status").filter(has_text="not connected")).to_contain_text("session taken over")
    expect(second.page.get_by_role("button", name="Disconnect")).to_be_visible()
