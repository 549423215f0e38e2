"""Rules and what they would say, events and the log as they come, settings and where they come from."""

import re

import wire
from playwright.sync_api import expect

RULES = """
[[rule]]
name = "no-secrets"
on = ["publish"]
when = 'topic.startsWith("secret/")'
then = [{ deny = "not_authorized" }]
"""


def test_a_rule_is_tried_and_its_hits_are_counted(own_house, desk, tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    own = own_house("--set", f"rules.file={tmp_path / 'rules.toml'}")
    sitting = desk(own, "viewer")
    page = sitting.page
    sitting.go("rules")
    row = page.get_by_role("row", name="no-secrets")
    expect(row).to_be_visible()
    page.get_by_label("Client id").fill("meter-1")
    page.get_by_label("Topic", exact=True).fill("secret/plans")
    page.get_by_role("button", name="Try").click()
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("denied")
    expect(verdict).to_contain_text("no-secrets")
    page.get_by_label("Topic", exact=True).fill("open/plans")
    page.get_by_role("button", name="Try").click()
    expect(page.locator(".verdict .badge.good")).to_be_visible()
    client = own.client("meter-1")
    client.send(wire.publish("secret/plans", b"x", qos=1, packet_id=1))
    assert client.expect(wire.Kind.PUBACK).reason == 0x87
    expect(row.get_by_role("cell").nth(1)).to_have_text("1", timeout=10_000)


def test_events_come_as_they_happen(house, desk):
    sitting = desk(house, "viewer")
    page = sitting.page
    sitting.go("events", "Events and log")
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    house.client("eventful").send(wire.disconnect())
    events = page.get_by_role("list", name="Events")
    expect(events.get_by_role("listitem").filter(has_text="eventful").first).to_be_visible()
    expect(events).to_contain_text("connected")
    page.get_by_label("Client").fill("somebody-else")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()
    house.client("eventful").send(wire.disconnect())
    house.client("somebody-else")
    expect(events).to_contain_text("somebody-else")
    expect(events).not_to_contain_text("eventful")


def test_the_log_streams_and_its_level_changes_while_it_runs(house, desk):
    sitting = desk(house, "admin")
    page = sitting.page
    sitting.go("events", "Events and log")
    page.get_by_role("tab", name="Log").click()
    log = page.get_by_role("list", name="Log")
    expect(log.get_by_role("listitem").first).to_be_visible()
    page.get_by_label("Level of the log").select_option("debug")
    page.get_by_role("button", name="Set", exact=True).click()
    sitting.note("The level was set")
    house.client("logged-now")
    expect(log).to_contain_text("logged-now")
    page.get_by_role("button", name="Pause").click()
    before = log.get_by_role("listitem").count()
    house.client("logged-later")
    expect(page.get_by_role("status").filter(has_text="held back")).to_be_visible()
    assert log.get_by_role("listitem").count() == before
    page.get_by_role("button", name="Go on").click()
    expect(log).to_contain_text("logged-later")
    page.get_by_label("Name").fill("logged-closely")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text="logged-closely").first).to_be_visible()
    assert [one["client_id"] for one in house.ask("GET", "/log")["overrides"]] == ["logged-closely"]
    page.get_by_role("button", name="Set", exact=True).click()
    assert len(house.ask("GET", "/log")["overrides"]) == 1
    page.get_by_role("button", name="Take back the level of logged-closely").click()
    expect(page.get_by_role("button", name="Take back the level of logged-closely")).to_have_count(0)
    page.get_by_role("button", name="As in the settings").click()
    sitting.note("as the settings have it")


def test_settings_say_where_they_come_from_and_no_secret(own_house, desk, tmp_path):
    file = tmp_path / "strowger.toml"
    auth = '[auth]\nredis_url = "redis://:hunter2@127.0.0.1:1/0"\nredis_key = "u:%u"\n'
    file.write_text(f"{auth}[session]\nqueue_messages_max = 77\n")
    own = own_house("--conf", file)
    sitting = desk(own, "admin")
    page = sitting.page
    sitting.go("settings")
    row = page.get_by_role("row", name=re.compile("^queue_messages_max"))
    expect(row).to_contain_text("77")
    expect(row).to_contain_text("strowger.toml")
    expect(page.locator("main")).not_to_contain_text("hunter2")
    all_of_them = page.locator("main tbody tr").count()
    page.get_by_label("Only what is not the default").check()
    expect(page.locator("main tbody tr")).not_to_have_count(all_of_them)
    page.get_by_label("Search").fill("queue_messages_max")
    expect(page.locator("main tbody tr")).to_have_count(1)


def test_a_plan_says_what_a_reload_would_do_and_changes_nothing(house, desk):
    sitting = desk(house, "admin")
    page = sitting.page
    sitting.go("operations")
    page.get_by_label("New settings").fill("[session]\nqueue_messages_max = 5\n")
    page.get_by_role("button", name="Plan").click()
    expect(page.locator(".steps")).to_contain_text("queue_messages_max")
    page.get_by_label("New settings").fill("[session]\nqueue_mesages_max = 5\n")
    page.get_by_role("button", name="Plan").click()
    expect(page.locator(".state.failed")).to_contain_text("queue_messages_max")


def test_the_overview_counts_what_happens(house, desk):
    sitting = desk(house, "viewer")
    page = sitting.page
    client = house.client("busy")
    client.subscribe("busy/#", qos=0)
    chart = page.get_by_role("img", name=re.compile("^Messages: in "))
    expect(chart).to_have_attribute("aria-label", re.compile("in [0-9]"), timeout=10_000)
    for number in range(500):
        client.send(wire.publish("busy/a", str(number).encode()))
    expect(chart).to_have_attribute("aria-label", re.compile("highest of the last five minutes [1-9]"), timeout=10_000)
    expect(page.locator(".tile").filter(has_text="Connections")).to_contain_text(re.compile("[1-9]"))


def test_what_is_not_accounted_for_is_what_the_broker_says(own_house, desk):
    own = own_house()
    sitting = desk(own)

    def with_two_faults(route):
        answer = route.fetch()
        faults = 'strowger_messages_unaccounted{line="9",side="copies"} 3\n'
        faults += 'strowger_messages_unaccounted{line="9",side="received"} -3\n'
        route.fulfill(response=answer, body=answer.text() + faults)

    def as_the_broker_counts(route):
        answer = route.fetch()
        overview = answer.json()
        overview["messages"]["unaccounted"] = 6
        route.fulfill(response=answer, json=overview)

    sitting.page.route("**/metrics", with_two_faults)
    sitting.page.route("**/api/v1/overview", as_the_broker_counts)
    sitting.login("viewer")
    expect(sitting.page.get_by_role("alert")).to_contain_text("6 messages are not accounted for")
