"""Each view in both themes and on a phone, for those who see it and those who do not, with a mouse and without.

`STROWGER_SHOTS` names a directory for pictures of each view.
"""

import os
import pathlib

import pytest
from desk import HOSTILE
from playwright.sync_api import expect

LOOKS = (pathlib.Path(__file__).parent / "looks.mjs").read_text()
PLACES = {
    "overview": "Overview",
    "clients": "Clients",
    "client/meter-3": "meter-3",
    "topics": "Topics",
    "subscriptions": "Subscriptions",
    "rules": "Rules",
    "listeners": "Listeners",
    "console": "Console",
    "events": "Events and log",
    "bans": "Bans",
    "settings": "Settings",
    "operations": "Operations",
}
SIZES = {"light": (1280, 860, "light"), "dark": (1280, 860, "dark"), "phone": (375, 740, "dark")}


@pytest.fixture(scope="module")
def furnished(house):
    """The house with clients, subscriptions, a queue and retained messages, some of them ill-meant."""
    for number in range(12):
        client = house.client(f"meter-{number}", session_expiry=3600)
        client.subscribe(f"plant/{number}/+", "commands/#", qos=1)
        client.publish(f"plant/{number}/state", b'{"celsius": 21.5}', retain=True)
    house.client(HOSTILE).subscribe(f"{HOSTILE}/{'long' * 60}/#")
    house.client("writer").publish(f"{HOSTILE}/{'x' * 200}", HOSTILE, retain=True)
    return house


def sit(desk, house, size, role="admin"):
    width, height, scheme = SIZES[size]
    sitting = desk(house, role, width=width, height=height, scheme=scheme)
    # By the browser's own door: the page's policy lets no script in that is not of the broker.
    sitting.page.evaluate(LOOKS)
    return sitting


def settle(page):
    """Waits until nothing waits any more."""
    expect(page.locator("main .spinner:visible")).to_have_count(0)
    page.wait_for_timeout(150)


def look(page, *questions):
    return [wrong for question in questions for wrong in page.evaluate(f"looks.{question}()")]


def picture(page, place, size):
    if directory := os.environ.get("STROWGER_SHOTS"):
        path = pathlib.Path(directory) / f"{place.partition('/')[0]}-{size}.png"
        page.screenshot(path=path, full_page=size == "phone")


@pytest.mark.parametrize("size", SIZES)
def test_each_view_can_be_read_and_fits(furnished, desk, size):
    sitting = sit(desk, furnished, size)
    questions = ["contrast", "structure", "overflow"] + (["targets"] if size == "phone" else [])
    wrong = {}
    for place, heading in PLACES.items():
        sitting.go(place, heading)
        settle(sitting.page)
        picture(sitting.page, place, size)
        wrong[place] = look(sitting.page, *questions)
    assert {place: found for place, found in wrong.items() if found} == {}


@pytest.mark.parametrize("size", SIZES)
def test_the_login_can_be_read_and_fits(furnished, desk, size):
    width, height, scheme = SIZES[size]
    sitting = desk(furnished, width=width, height=height, scheme=scheme)
    expect(sitting.page.get_by_label("Token")).to_be_visible()
    sitting.page.evaluate(LOOKS)
    picture(sitting.page, "login", size)
    assert look(sitting.page, "contrast", "structure", "overflow") == []


def test_what_the_looks_check_is_found_when_it_is_wrong(furnished, desk):
    page = sit(desk, furnished, "phone").page
    settle(page)
    page.evaluate("""() => {
        const faint = document.createElement('p');
        faint.textContent = 'hardly to be read';
        faint.style.setProperty('color', '#555');
        const wide = document.createElement('div');
        wide.style.setProperty('width', '900px');
        wide.textContent = 'wide';
        const box = document.createElement('input');
        const tiny = document.createElement('button');
        tiny.setAttribute('aria-controls', 'nothing');
        for (const name of ['min-height', 'height', 'width', 'padding', 'border']) tiny.style.setProperty(name, '0');
        document.querySelector('main').append(faint, wide, box, tiny);
    }""")
    assert any("hardly" in wrong for wrong in look(page, "contrast"))
    structure = " ".join(look(page, "structure"))
    assert "has no label" in structure and "has no name" in structure and "nothing" in structure
    assert look(page, "overflow") and look(page, "targets")


def test_the_theme_follows_the_system_until_one_is_chosen(furnished, desk):
    sitting = sit(desk, furnished, "dark")
    page = sitting.page
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Theme: system").click()
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    sitting.heading("Overview")
    assert page.evaluate(paper) == light
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(paper) == dark


def test_every_view_is_reached_and_left_by_keyboard_alone(furnished, desk):
    sitting = desk(furnished)
    page = sitting.page
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(furnished.tokens["admin"])
    page.keyboard.press("Enter")
    sitting.heading("Overview")
    page.evaluate(LOOKS)
    page.keyboard.press("Tab")
    settle(page)
    page.evaluate("document.querySelector('.skip').focus()")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for place, heading in PLACES.items():
        if "/" in place:
            continue
        link = page.get_by_role("navigation", name="Places").locator(f'a[href="#/{place}"]')
        link.focus()
        page.keyboard.press("Enter")
        sitting.heading(heading)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        assert link.get_attribute("aria-current") == "page"
        settle(page)
        blind = []
        for _ in range(6):
            page.keyboard.press("Tab")
            seen = page.evaluate("looks.focus()")
            if not seen["shows"]:
                blind.append(seen["who"])
        assert blind == [], heading


def test_on_a_phone_the_places_fold_and_unfold(furnished, desk):
    sitting = sit(desk, furnished, "phone")
    page = sitting.page
    places = page.get_by_role("navigation", name="Places")
    expect(places).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    places.get_by_role("link", name="Clients").click()
    sitting.heading("Clients")
    expect(places).to_be_hidden()
    menu.click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(places).to_be_hidden()
    expect(menu).to_be_focused()
