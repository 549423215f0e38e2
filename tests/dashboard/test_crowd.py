"""The page with ten thousand clients connected: it is as quick as with ten."""

import resource
import socket
import time

import pytest
import wire
from playwright.sync_api import expect

CROWD = 10_000
AT_ONCE = 200


def connect_all(address, count):
    """Opens `count` connections, some hundred at a time, and waits for each CONNACK."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(20_000, soft), hard))
    sockets = []
    for start in range(0, count, AT_ONCE):
        some = []
        for number in range(start, min(start + AT_ONCE, count)):
            one = socket.create_connection(address, timeout=10)
            one.sendall(wire.connect(f"crowd-{number:05}", keep_alive=0))
            some.append(one)
        for one in some:
            assert one.recv(64)[:1] == b"\x20", "no CONNACK"
        sockets += some
    return sockets


@pytest.mark.slow
def test_a_client_is_found_among_ten_thousand_and_disconnected(own_house, desk):
    own = own_house("--set", "listener.connect_rate_per_sec=100000", "--set", "listener.connect_burst=20000")
    sockets = connect_all(own.broker.address, CROWD)
    try:
        sitting = desk(own, "operator")
        page = sitting.page
        expect(page.locator(".tile").filter(has_text="Connections")).to_contain_text("10,000")
        began = time.monotonic()
        sitting.go("clients?sort=-client_id", "Clients")
        expect(page.locator("main tbody tr").first).to_contain_text("crowd-09999")
        expect(page.get_by_role("status").filter(has_text="of 10,000")).to_be_visible()
        page.get_by_role("button", name="Last page").click()
        expect(page.locator("main tbody tr").last).to_contain_text("crowd-00000")
        page.get_by_label("Search").fill("crowd-07777")
        expect(page.locator("main tbody tr")).to_have_count(1)
        page.get_by_role("link", name="crowd-07777").click()
        sitting.heading("crowd-07777")
        page.get_by_role("button", name="Disconnect", exact=True).click()
        sitting.confirm("Disconnect")
        sitting.note("was disconnected")
        took = time.monotonic() - began
        assert page.locator("*").count() < 5000, "the page holds rows that nobody sees"
        victim = sockets[7777]
        victim.settimeout(5)
        assert victim.recv(64)[:1] == b"\xe0", "no DISCONNECT"
        print(f"the way to one client of {CROWD} and its disconnection took {took:.1f} s")
        assert took < 30
    finally:
        for one in sockets:
            one.close()
