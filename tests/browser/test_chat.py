"""The chat in several windows, beside clients that are not browsers."""

import json
import re
import time

import pytest
from playwright.sync_api import expect
from websockets.sync.client import connect

from conftest import serving
from programs import BOUND


@pytest.fixture
def server():
    with serving("example-chat") as server:
        yield server


@pytest.fixture
def enter(visit, server):
    """Opens a window and enters a room. Waits until the log says so."""

    def enter(name, room="tea", *, refused=False, route=None):
        page = visit(server.origin, route=route)
        page.fill("#name", name)
        page.fill("#room", room)
        page.click("#enter button")
        if not refused:
            logs(page, f"You are in {room}.")
        return page

    return enter


def say(page, text):
    page.fill("#text", text)
    page.click("#say button")


def logs(page, text, times=1):
    """Waits until the log has the line, this many times."""
    lines = page.locator("#log li").filter(has_text=re.compile(f"^{re.escape(text)}$"))
    expect(lines).to_have_count(times)


def log(page):
    return page.locator("#log li").all_text_contents()


def expect_members(page, *names):
    expect(page.locator("#members")).to_have_text(f"Here: {', '.join(names)}")


def test_two_windows_talk(enter):
    ann = enter("Ann")
    bob = enter("Bob")
    logs(ann, "Bob has come.")
    for page in [ann, bob]:
        expect_members(page, "Ann", "Bob")
    say(ann, "Hello, Bob!")
    logs(bob, "Ann: Hello, Bob!")
    say(bob, "你好，Ann 👋🏽")
    for page in [ann, bob]:
        logs(page, "Bob: 你好，Ann 👋🏽")
    assert log(ann) == ["You are in tea.", "Bob has come.", "Ann: Hello, Bob!", "Bob: 你好，Ann 👋🏽"]


def test_another_room_hears_nothing(enter):
    ann = enter("Ann")
    eve = enter("Ann", "coffee")
    bob = enter("Bob")
    say(bob, "for tea only")
    logs(ann, "Bob: for tea only")
    say(eve, "for coffee only")
    logs(eve, "Ann: for coffee only")
    assert log(eve) == ["You are in coffee.", "Ann: for coffee only"]
    assert "Ann: for coffee only" not in log(ann)


def test_announces_who_leaves_and_frees_the_name(enter):
    ann = enter("Ann")
    bob = enter("Bob")
    logs(ann, "Bob has come.")
    bob.close()
    logs(ann, "Bob has left.")
    expect_members(ann, "Ann")
    enter("Bob")


def test_refuses_a_name_in_use(enter):
    ann = enter("Ann")
    other = enter("Ann", refused=True)
    expect(other.locator("#status")).to_contain_text("has that name")
    assert log(other) == []
    other.fill("#name", "Anna")
    other.click("#enter button")
    logs(other, "You are in tea.")
    logs(ann, "Anna has come.")


def test_shows_markup_as_text(enter):
    text = '<img src=x onerror=alert(1)><b>bold</b> &amp; "quoted"'
    ann = enter("<i>Ann</i>")
    bob = enter("Bob")
    say(ann, text)
    logs(bob, f"<i>Ann</i>: {text}")
    assert bob.locator("#log img, #log i").count() == 0


def test_drops_a_slow_reader_and_waits_for_nobody(enter, server):
    def join(name):
        # This library stops reading when 16 messages wait for the caller.
        ws = connect(
            server.origin.replace("http", "ws") + "chat", origin=server.origin.rstrip("/"),
            compression=None, ping_interval=None, legacy=True,
        )  # fmt: skip
        ws.send(json.dumps({"type": "join", "room": "tea", "name": name}))
        return ws

    ann = enter("Ann")
    slow = join("Slow")
    logs(ann, "Slow has come.")
    loud = join("Loud")
    heard = sent = 0
    left = False

    def hear():
        nonlocal heard, left
        notice = json.loads(loud.recv(timeout=BOUND))
        heard += notice["type"] == "said" and notice["name"] == "Loud"
        left = left or (notice["type"] == "left" and notice["name"] == "Slow")

    # All these messages do not fit in the buffers on the way to a client that does not read.
    while not left and sent < 50_000:
        for _ in range(50):
            loud.send(json.dumps({"type": "say", "text": "x" * 2000}))
        sent += 50
        # A client that says more than it hears would be too slow, too.
        while heard < sent:
            hear()
    # The server waits for the answer to its Close until a deadline. The flood may end long before.
    while not left:
        hear()
    assert heard == sent
    expect_members(ann, "Ann", "Loud")
    say(ann, "still here")
    logs(ann, "Ann: still here")
    loud.close_socket()
    logs(ann, "Loud has left.")
    slow.close_socket()


def test_enters_once_after_three_clicks(visit, server):
    ann = visit(server.origin)
    ann.fill("#name", "Ann")
    ann.fill("#room", "tea")
    ann.evaluate("for (let i = 0; i < 3; i++) document.querySelector('#enter button').click()")
    logs(ann, "You are in tea.")
    say(ann, "here")
    logs(ann, "Ann: here")
    assert ann.text_content("#status") == ""


def test_comes_back_while_the_server_has_the_old_connection(enter):
    # Playwright can close the side of the page without the server's knowledge.
    ways = []

    def route(page_side):
        server_side = page_side.connect_to_server()
        heard = []
        server_side.on_message(lambda message: (heard.append(message), page_side.send(message)))
        ways.append((page_side, server_side, heard))

    def way_with(text):
        return next((way for way in ways if any(text in message for message in way[2])), None)

    ann = enter("Ann", route=route)
    page_side, server_side, _ = way_with('"type":"welcome"')
    page_side.on_close(lambda code, reason: None)
    # The page goes on as after 1006, which a program must not send.
    page_side.close(code=3001)
    deadline = time.monotonic() + BOUND
    while not way_with("has that name"):
        assert time.monotonic() < deadline
        ann.wait_for_timeout(10)
    server_side.close()
    logs(ann, "You are in tea.", times=2)
    say(ann, "back")
    logs(ann, "Ann: back")


def test_comes_back_with_the_server(enter, server, complaints):
    ann = enter("Ann")
    server.stop()
    expect(ann.locator("#status")).to_have_text(re.compile("^No connection"))
    with serving("example-chat", address=server.address):
        logs(ann, "You are in tea.", times=2)
        say(ann, "back")
        logs(ann, "Ann: back")
    assert all(re.match(r"WebSocket connection to '.*/chat' failed", complaint) for complaint in complaints)
    complaints.clear()
