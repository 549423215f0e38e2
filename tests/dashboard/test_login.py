"""Coming in, staying in, and what a role does not offer."""

import re

from playwright.sync_api import expect


def test_a_wrong_token_is_refused_in_words_and_a_right_one_opens_the_overview(house, desk):
    sitting = desk(house)
    page = sitting.page
    token = page.get_by_label("Token")
    expect(token).to_be_focused()
    token.fill("strowger_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("strowger token add")
    expect(token).to_be_focused()
    sitting.login("viewer")
    page.reload()
    sitting.heading("Overview")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_no_script_can_read_what_lets_the_browser_in(house, desk):
    sitting = desk(house, "admin")
    assert sitting.page.evaluate("document.cookie") == ""
    kept = sitting.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert house.tokens["admin"] not in kept
    cookie = next(one for one in sitting.context.cookies() if "strowger" in one["name"])
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"


def test_who_guesses_is_told_how_long_he_has_to_wait(own_house, desk):
    sitting = desk(own_house("--set", "admin.failures_max=2", "--set", "admin.lockout_secs=2"))
    page = sitting.page
    for _ in range(3):
        button = page.get_by_role("button", name="Log in")
        expect(button).to_be_enabled()
        page.get_by_label("Token").fill("strowger_guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).not_to_be_empty()
    expect(page.get_by_role("alert")).to_contain_text("too many wrong tokens")
    expect(page.get_by_role("button", name=re.compile("Wait [0-9]+ s"))).to_be_disabled()
    expect(page.get_by_role("button", name="Log in")).to_be_enabled(timeout=8000)
    sitting.login("viewer")


def test_a_role_is_offered_what_it_may_do_and_nothing_else(house, desk):
    for role, places in (("viewer", 8), ("operator", 9), ("admin", 11)):
        sitting = desk(house, role)
        links = sitting.page.get_by_role("navigation", name="Places").get_by_role("link")
        expect(links).to_have_count(places)
        sitting.close()


def test_a_view_that_is_not_for_a_role_says_so(house, desk):
    sitting = desk(house, "viewer")
    for place in ("settings", "operations", "console"):
        sitting.go(place, "Not for you")
        expect(sitting.page.get_by_role("alert").filter(has_text="role")).to_contain_text("you are viewer")


def test_the_page_says_that_the_broker_is_gone_and_goes_on_when_it_is_back(own_house, desk):
    own = own_house()
    sitting = desk(own, "viewer")
    page = sitting.page
    own.broker.stop()
    expect(page.get_by_text("No connection to the broker")).to_be_visible()
    own.restart()
    # Sessions of browsers end with the process: the operator comes in again, and the page with him.
    expect(page.get_by_label("Token")).to_be_visible(timeout=15_000)
    sitting.login("viewer")
    expect(page.get_by_text("No connection to the broker")).to_have_count(0)
