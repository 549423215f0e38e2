"""Retained messages: browsed by level, looked at, deleted after a dry run."""

import pytest
from desk import HOSTILE
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def stocked(house):
    writer = house.client("writer")
    for number in range(5):
        writer.publish(f"plant/{number}/state", f'{{"celsius": {number}, "name": "<b>bold</b>"}}'.encode(), retain=True, qos=1)
    writer.publish("plant", b"the plant itself", retain=True, qos=1)
    writer.publish(f"{HOSTILE}/{HOSTILE}", HOSTILE, retain=True, qos=1)
    writer.publish("binary", bytes(range(64)), retain=True, qos=1)
    return house


def branch(page, name):
    return page.get_by_role("treeitem").filter(has_text=name).first


def test_the_tree_is_walked_with_the_arrow_keys_and_shows_values(stocked, desk):
    sitting = desk(stocked, "viewer")
    page = sitting.page
    sitting.go("topics")
    plant = page.get_by_role("treeitem", name="plant", exact=False).first
    expect(plant).to_have_attribute("aria-expanded", "false")
    plant.focus()
    page.keyboard.press("ArrowRight")
    expect(plant).to_have_attribute("aria-expanded", "true")
    expect(plant.get_by_role("group").first.get_by_role("treeitem").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(branch(plant, "state")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    payload = page.get_by_role("tabpanel", name="Payload")
    expect(payload).to_contain_text('"celsius": 0')
    expect(payload).to_contain_text("<b>bold</b>")
    page.get_by_role("tab", name="Hex").click()
    expect(payload).to_contain_text("000000  7b 22 63")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Text")).to_be_focused()
    expect(page.get_by_role("button", name="Delete…")).to_have_count(0)


def test_bytes_that_are_no_text_show_as_hex_and_hostile_text_as_text(stocked, desk):
    sitting = desk(stocked, "viewer")
    page = sitting.page
    sitting.go("topics")
    branch(page, "binary").click()
    expect(page.get_by_role("tabpanel", name="Payload")).to_contain_text("3c 3d 3e 3f")
    evil = branch(page, HOSTILE)
    evil.locator(".twist").first.click()
    evil.get_by_role("treeitem").first.click()
    expect(page.get_by_role("tabpanel", name="Payload")).to_have_text(HOSTILE)
    assert page.locator("main img").count() == 0


def test_what_a_filter_matches_is_deleted_after_a_dry_run_said_how_much(stocked, desk):
    sitting = desk(stocked, "operator")
    page = sitting.page
    sitting.go("topics")
    page.get_by_label("Topic filter").fill("plant/+/state")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".plain-list button")).to_have_count(5)
    page.get_by_role("button", name="Delete what matches…").click()
    expect(page.get_by_role("dialog")).to_contain_text("The dry run found 5")
    page.keyboard.press("Escape")
    assert len(stocked.ask("GET", "/retained?filter=plant/%2B/state")["items"]) == 5
    page.get_by_role("button", name="Delete what matches…").click()
    sitting.confirm("Delete 5")
    sitting.note("5 deleted")
    expect(page.get_by_text("No retained message matches")).to_be_visible()
    assert [one["topic"] for one in stocked.ask("GET", "/retained?filter=plant/%23")["items"]] == ["plant"]


def test_one_message_is_deleted_and_leaves_the_tree(stocked, desk):
    sitting = desk(stocked, "operator")
    page = sitting.page
    stocked.client("late").publish("going/soon", b"x", retain=True, qos=1)
    sitting.go("topics?filter=going/%23", "Topics")
    page.get_by_role("button", name="going/soon").click()
    page.get_by_role("button", name="Delete…", exact=True).click()
    sitting.confirm("Delete")
    sitting.note("1 deleted")
    expect(page.get_by_text("No retained message matches")).to_be_visible()
