"""Finding a client among many, seeing what is the matter with it, and ending its connection, its session, its way in."""

import pytest
import wire
from desk import HOSTILE
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def crowded(house):
    """The house with 120 clients: more than two pages of them."""
    for number in range(120):
        house.client(f"meter-{number:03}", version=wire.V311 if number % 4 == 3 else wire.V5)
    return house


def rows(page):
    return page.locator("main tbody tr")


def test_a_client_is_found_among_many_and_disconnected(crowded, desk):
    sitting = desk(crowded, "operator")
    page = sitting.page
    victim = crowded.client("the-one", session_expiry=600)
    sitting.go("clients")
    expect(rows(page)).to_have_count(50)
    page.get_by_label("Search").fill("THE-one")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="the-one").click()
    sitting.heading("the-one")
    page.get_by_role("button", name="Disconnect", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the-one")
    dialog.get_by_label("Reason").fill("come back later")
    sitting.confirm("Disconnect")
    sitting.note("was disconnected")
    victim.expect_disconnect(0x98)
    expect(page.locator(".heading .badge")).to_have_text("away")
    expect(page.get_by_role("button", name="Disconnect", exact=True)).to_have_count(0)


def test_a_session_is_ended_only_when_that_is_confirmed(crowded, desk):
    sitting = desk(crowded, "operator")
    page = sitting.page
    client = crowded.client("leaver", session_expiry=600)
    client.subscribe("a/#", qos=1)
    sitting.go("client/leaver", "leaver")
    expect(page.get_by_role("row", name="a/#")).to_be_visible()
    button = page.get_by_role("button", name="End session")
    button.click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()
    assert crowded.ask("GET", "/clients/leaver")["subscriptions"] == 1
    button.click()
    sitting.confirm("End session")
    expect(page.get_by_text("No session", exact=True)).to_be_visible()
    client.expect_disconnect(0x98)


def test_one_subscription_is_removed_and_the_others_stay(crowded, desk):
    sitting = desk(crowded, "operator")
    page = sitting.page
    client = crowded.client("listener")
    client.subscribe("keep/#", "drop/#", qos=0)
    sitting.go("client/listener", "listener")
    page.get_by_role("button", name="Remove drop/#").click()
    sitting.confirm("Remove")
    sitting.note("was removed")
    expect(page.get_by_role("row", name="drop/#")).to_have_count(0)
    expect(page.get_by_role("row", name="keep/#")).to_be_visible()
    client.send(wire.publish("drop/a", b"1"), wire.publish("keep/a", b"2"))
    assert client.expect(wire.Kind.PUBLISH).topic == "keep/a"


def test_lists_are_sorted_paged_and_filtered_by_the_broker_and_the_address_says_how(crowded, desk):
    sitting = desk(crowded, "viewer")
    page = sitting.page
    sitting.go("clients?search=meter-", "Clients")
    expect(page.get_by_role("status").filter(has_text="of")).to_contain_text("of 120")
    header = page.get_by_role("columnheader", name="Client")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(rows(page).first).to_contain_text("meter-000")
    expect(header.get_by_role("button")).to_be_focused()
    page.get_by_role("button", name="Last page").click()
    expect(rows(page)).to_have_count(20)
    expect(rows(page).last).to_contain_text("meter-119")
    assert "page=3" in page.url and "sort=client_id" in page.url
    page.reload()
    expect(rows(page).last).to_contain_text("meter-119")
    page.get_by_label("MQTT").select_option("3.1.1")
    expect(rows(page)).to_have_count(30)
    assert "page=" not in page.url and "version=3.1.1" in page.url


def test_a_viewer_sees_a_client_and_no_buttons(crowded, desk):
    sitting = desk(crowded, "viewer")
    page = sitting.page
    sitting.go("client/meter-007", "meter-007")
    expect(page.get_by_role("heading", name="Session")).to_be_visible()
    for name in ("Disconnect", "End session", "Ban…", "Trace live"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_hostile_client_is_text_wherever_it_shows(crowded, desk):
    sitting = desk(crowded, "operator")
    page = sitting.page
    evil = crowded.client(HOSTILE, username=f"{HOSTILE}-user")
    evil.subscribe(f"{HOSTILE}/#", qos=0)
    sitting.go("clients?search=onerror", "Clients")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name=HOSTILE).click()
    sitting.heading(HOSTILE)
    expect(page.locator("main")).to_contain_text(f"{HOSTILE}-user")
    expect(page.get_by_role("row", name=f"{HOSTILE}/#")).to_be_visible()
    assert page.locator("main img").count() == 0
    page.get_by_role("button", name="Disconnect", exact=True).click()
    sitting.confirm("Disconnect")
    sitting.note("was disconnected")
    evil.expect_disconnect(0x98)


def test_a_ban_keeps_a_client_outside_until_it_is_lifted(crowded, desk):
    sitting = desk(crowded, "operator")
    page = sitting.page
    client = crowded.client("unruly")
    sitting.go("client/unruly", "unruly")
    page.get_by_role("button", name="Ban…").click()
    page.get_by_role("dialog").get_by_label("For", exact=True).select_option("3600")
    sitting.confirm("Ban")
    sitting.note("in force")
    client.expect_disconnect(0x98)
    wire.Wire.open(crowded.broker.address, "unruly", expect=0x8A).drop()
    sitting.go("bans")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Lift the ban of unruly").click()
    sitting.confirm("Lift")
    expect(page.get_by_text("Nobody is banned")).to_be_visible()
    crowded.client("unruly")


def test_the_story_of_a_client_is_told_and_goes_on_live(crowded, desk):
    sitting = desk(crowded, "operator")
    page = sitting.page
    client = crowded.client("storied")
    client.subscribe("story/#", qos=1)
    sitting.go("client/storied", "storied")
    story = page.get_by_role("list", name="Recorded packets and decisions")
    expect(story).to_contain_text("CONNECT")
    expect(story).to_contain_text("SUBSCRIBE")
    page.get_by_role("button", name="Trace live").click()
    live = page.get_by_role("list", name="Live trace")
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    client.send(wire.publish("story/a", b"x"))
    expect(live).to_contain_text("PUBLISH")
    page.get_by_role("button", name="End trace").click()
