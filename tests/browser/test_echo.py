"""The page of the echo server, without compression and with it."""

import re
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect

from conftest import serving

# Keeps the sockets of the page and what they received, for comparisons inside the page.
RECORD_SOCKETS = """
    window.sockets = [];
    window.received = [];
    window.WebSocket = class extends WebSocket {
        constructor(...args) {
            super(...args);
            window.sockets.push(this);
            this.addEventListener("message", ({ data }) => window.received.push(data));
        }
    };
"""

# The elements that reach past the right edge or hide a part of their content.
OVERFLOW = """() => {
    const width = document.documentElement.clientWidth;
    const wide = [];
    if (document.documentElement.scrollWidth > width) wide.push(`page: ${document.documentElement.scrollWidth} > ${width}`);
    for (const element of document.querySelectorAll("body *")) {
        const { left, right } = element.getBoundingClientRect();
        const name = `${element.tagName} #${element.id} .${element.className}`;
        if (right > width + 0.5 || left < -1.5) wide.push(`${name}: ${left} to ${right}`);
        const hides = !["INPUT", "TEXTAREA"].includes(element.tagName) && element.clientWidth > 0;
        if (hides && element.scrollWidth > element.clientWidth + 1) wide.push(`${name}: ${element.scrollWidth}`);
    }
    return wide;
}"""


@dataclass
class EchoPage:
    """What a person does with the page and sees on it."""

    page: Page
    origin: str
    deflate: bool

    def entries(self, kind):
        return self.page.locator(f'#log li[data-kind="{kind}"]')

    def logged(self, kind, count=1):
        """Waits until the log has this number of entries of the kind. Returns the text and the data of the last."""
        expect(self.entries(kind)).to_have_count(count)
        entry = self.entries(kind).last.evaluate("""(entry) => ({
            ...entry.dataset,
            about: entry.querySelector(".about").textContent,
            body: entry.querySelector(".body")?.textContent ?? "",
        })""")
        return SimpleNamespace(**entry)

    def connect(self, path="/", *, protocol=""):
        """Connects, and waits for the greeting of the server. Returns its entry."""
        self.page.fill("#url", self.origin.replace("http", "ws").removesuffix("/") + path)
        self.page.fill("#protocol", protocol)
        self.page.click("#connect")
        self.logged("open")
        agreed = self.page.evaluate("window.sockets.at(-1).extensions")
        assert re.match(r"permessage-deflate\b" if self.deflate else "$", agreed)
        assert self.page.text_content("#extensions") == (agreed or "none")
        return self.logged("message")

    def echo(self, message):
        """Sends a text. Returns the entry of its echo."""
        before = self.entries("message").count()
        self.page.fill("#text", message)
        self.page.click("#send")
        entry = self.logged("message", before + 1)
        assert self.page.evaluate("window.received.at(-1)") == message
        return entry

    def disconnect(self, code="1000", reason=""):
        self.page.fill("#code", code)
        self.page.fill("#reason", reason)
        self.page.click("#disconnect")

    def expect_state(self, state):
        expect(self.page.locator("#state")).to_have_text(state)

    def drawn_bits(self):
        """The bits that the drawing shows, by field."""
        return self.page.evaluate("""() => {
            const bits = {};
            for (const cell of document.querySelectorAll("#frame .cell[data-field]")) {
                const shown = Array.from(cell.querySelectorAll(".bit"), (bit) => bit.textContent).join("");
                bits[cell.dataset.field] = (bits[cell.dataset.field] ?? "") + shown;
            }
            return bits;
        }""")

    def drawn_text(self):
        return self.page.inner_text("#frame")

    def assert_draws(self, header, payload):
        """The drawing has these fields of a header, and the beginning of the payload."""
        bits = self.drawn_bits()
        shown = bits.pop("payload")
        assert bits == WHOLE_FRAME | header
        assert shown and bits_of(payload).startswith(shown)

    def assert_fits(self):
        assert self.page.evaluate(OVERFLOW) == []


WHOLE_FRAME = {"fin": "1", "rsv1": "0", "rsv2": "0", "rsv3": "0"}


def bits_of(data):
    return "".join(f"{byte:08b}" for byte in data)


@pytest.fixture(params=["plain", "deflate"])
def server(request):
    deflate = request.param == "deflate"
    with serving("examples/echo_server", *["--deflate"] * deflate) as server:
        server.deflate = deflate
        yield server


@pytest.fixture
def echo_page(visit, server):
    return EchoPage(visit(server.origin, init_script=RECORD_SOCKETS), server.origin, server.deflate)


@pytest.fixture
def page(echo_page):
    return echo_page.page


def test_the_page_is_one_file(echo_page, page, server):
    assert [url for url in page.requested if not url.startswith("data:")] == [server.origin]
    assert page.input_value("#url") == server.origin.replace("http", "ws")
    assert page.text_content("#state") == "none"
    assert page.text_content("#buffered") == "0"


def test_every_control_has_a_label(page):
    nameless = page.evaluate("""Array.from(document.querySelectorAll("input, textarea, button"))
        .filter((control) => !(control.labels.length || control.textContent.trim()))
        .map((control) => control.outerHTML)""")
    assert nameless == []
    assert page.get_attribute("#log", "role") == "log"
    assert page.get_attribute("#log", "aria-live") == "polite"


def test_agrees_on_a_subprotocol_and_shows_the_greeting(echo_page, page):
    greeting = echo_page.connect(protocol="other, echo")
    echo_page.expect_state("OPEN")
    assert page.text_content("#agreed") == "echo"
    assert page.evaluate("window.sockets[0].protocol") == "echo"
    assert greeting.type == "text"
    assert greeting.body == page.evaluate("window.received[0]") != ""


def test_connects_without_a_subprotocol(echo_page, page):
    echo_page.connect()
    assert page.text_content("#agreed") == "none"
    assert page.evaluate("window.sockets[0].protocol") == ""


TEXTS = {
    "ASCII": "Hello, echo!",
    "Chinese": "你好，世界。千里之行，始于足下。",
    "emoji": "👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈",
    "two lines and markup": '<b>not bold</b>\n&amp; "quoted"',
    "empty": "",
}


@pytest.mark.parametrize("message", TEXTS.values(), ids=TEXTS)
def test_echoes_a_text(echo_page, message):
    echo_page.connect(protocol="echo")
    entry = echo_page.echo(message)
    assert (entry.type, entry.body) == ("text", message)
    assert f"{len(message.encode())} bytes" in entry.about


def test_abbreviates_a_long_text(echo_page):
    echo_page.connect()
    message = "0123456789" * 10_000
    entry = echo_page.echo(message)
    assert len(entry.body) < 1000 and message.startswith(entry.body.removesuffix(" …"))
    assert "100,000 bytes" in entry.about


def test_compresses_if_it_agreed_to(echo_page, page, server):
    echo_page.connect()
    for number in range(5):
        echo_page.echo("compressible, " * (100 + number))
    assert page.is_visible("#frame-deflate") == server.deflate
    echo_page.disconnect()
    echo_page.logged("close")
    # The server prints what it receives before the Close frame.
    lines = []
    while not re.search(r"closed 1000\b", line := server.line()):
        lines.append(line)
    compressed = 5 if server.deflate else 0
    assert [line.strip() for line in lines].count("compressed") == compressed
    assert sum("RSV 100  opcode 0x1" in line for line in lines) == compressed
    assert sum("compressible, " in line for line in lines) == 5 - compressed


def test_works_with_the_keyboard_alone(echo_page, page):
    page.focus("#url")
    page.keyboard.press("Enter")
    echo_page.logged("message")
    page.focus("#text")
    page.keyboard.press("Control+A")
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    assert echo_page.logged("message", 2).body == "one\ntwo"
    page.focus("#reason")
    page.keyboard.press("Enter")
    assert echo_page.logged("close").code == "1000"


def test_echoes_a_file_of_1_mib(echo_page, page):
    echo_page.connect(protocol="echo")
    data = bytes((i * 167 ^ i >> 8 ^ i >> 16) & 0xFF for i in range(1 << 20))
    page.set_input_files("#file", {"name": "data.bin", "mimeType": "application/octet-stream", "buffer": data})
    assert page.text_content("#file-size") == "1 MiB (1,048,576 bytes)"
    page.click("#send-file")
    entry = echo_page.logged("message", 2)
    assert entry.type == "binary"
    assert "1 MiB (1,048,576 bytes)" in entry.about
    assert entry.body.startswith(data[:4].hex(" "))
    assert page.evaluate("""async () => {
        const sent = new Uint8Array(await document.getElementById("file").files[0].arrayBuffer());
        const back = new Uint8Array(window.received.at(-1));
        return sent.length === back.length && sent.every((byte, i) => byte === back[i]);
    }""")
    expect(page.locator("#buffered")).to_have_text("0")
    header = {"opcode": "0010", "mask": "0", "length": "1111111", "extended-length": f"{1 << 20:064b}"}
    echo_page.assert_draws(header, data)


def test_closes_with_a_code_and_a_reason(echo_page):
    echo_page.connect(protocol="echo")
    echo_page.disconnect("3001", "done")
    entry = echo_page.logged("close")
    assert (entry.code, entry.wasClean) == ("3001", "true")
    # The peer answers with the same code. It may repeat the reason.
    assert entry.reason in ["", "done"]
    assert re.search("3001.*wasClean true", entry.about)
    bits = echo_page.drawn_bits()
    assert bits["opcode"] == "1000"
    assert bits["status"] == f"{3001:016b}"
    echo_page.expect_state("CLOSED")


def test_closes_without_a_code(echo_page):
    echo_page.connect()
    echo_page.disconnect(code="")
    entry = echo_page.logged("close")
    assert (entry.code, entry.reason, entry.wasClean) == ("1005", "", "true")
    assert echo_page.drawn_bits()["length"] == "0000000"


def test_shows_how_the_server_closes(echo_page):
    echo_page.connect("/close/4001/bye")
    entry = echo_page.logged("close")
    assert (entry.code, entry.reason, entry.wasClean) == ("4001", "bye", "true")
    assert re.search("4001.*wasClean true", entry.about)
    assert entry.body == "bye"
    header = {"opcode": "1000", "mask": "0", "length": f"{5:07b}", "status": f"{4001:016b}"}
    assert echo_page.drawn_bits() == WHOLE_FRAME | header | {"payload": bits_of(b"bye")}
    echo_page.expect_state("CLOSED")


def test_shows_a_refusal_as_an_error_and_a_close(echo_page, page, complaints):
    with page.expect_console_message(lambda message: "403" in message.text):
        page.click('[data-path="/refuse"]')
        page.click("#connect")
        entry = echo_page.logged("close")
    assert (entry.code, entry.reason, entry.wasClean) == ("1006", "", "false")
    echo_page.logged("error")
    assert echo_page.entries("open").count() == 0
    # No Close frame came, so the page draws none.
    assert page.locator("#frame .cell").count() == 0
    echo_page.expect_state("CLOSED")
    assert all(re.match("WebSocket connection to '.*/refuse' failed: .*403", complaint) for complaint in complaints)
    complaints.clear()


def test_connects_again_after_a_close(echo_page, page):
    echo_page.connect()
    echo_page.disconnect()
    echo_page.logged("close")
    page.click("#connect")
    echo_page.logged("open", 2)
    echo_page.logged("message", 2)
    echo_page.echo("again")


def test_draws_the_bits_of_a_received_frame(echo_page):
    echo_page.connect()
    for size, lengths in [
        (5, {"length": f"{5:07b}"}),
        (125, {"length": f"{125:07b}"}),
        (126, {"length": f"{126:07b}", "extended-length": f"{126:016b}"}),
        (65_535, {"length": f"{126:07b}", "extended-length": f"{65_535:016b}"}),
        (65_536, {"length": f"{127:07b}", "extended-length": f"{65_536:064b}"}),
    ]:
        echo_page.echo("x" * size)
        echo_page.assert_draws({"opcode": "0001", "mask": "0"} | lengths, b"x" * size)


def test_draws_the_characters_of_a_received_frame(echo_page):
    echo_page.connect()
    echo_page.echo("é")
    assert echo_page.drawn_bits()["payload"] == "1100001110101001"
    assert re.search(r"c3\s*é", echo_page.drawn_text())
    title = "Received: text frame, 2 bytes of header and 2 bytes of payload."
    assert title in echo_page.drawn_text().splitlines()


def test_draws_a_sent_frame_with_an_unknown_key(echo_page):
    echo_page.connect()
    echo_page.echo("Hello")
    echo_page.entries("send").last.get_by_role("button").click()
    masked = {"mask": "1", "key": "?" * 32, "payload": "?" * 40}
    assert echo_page.drawn_bits() == WHOLE_FRAME | {"opcode": "0001", "length": f"{5:07b}"} | masked
    title = "Sent: text frame, 6 bytes of header and 5 bytes of payload."
    assert title in echo_page.drawn_text().splitlines()
    assert re.search(r"48\s*H", echo_page.drawn_text())


def test_folds_the_drawing_on_a_narrow_screen(echo_page, page):
    echo_page.connect()
    echo_page.echo("Hello")
    wide = echo_page.drawn_bits()
    assert page.locator("#frame .ruler").count() == 32
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("#frame .ruler")).to_have_count(16)
    assert echo_page.drawn_bits() == wide


def test_shows_bad_input_as_errors(echo_page, page):
    errors = 0

    def expect_error(start):
        nonlocal errors
        errors += 1
        assert echo_page.logged("error", errors).about.startswith(start)

    url = page.input_value("#url")
    for bad in ["ws://", "ws://[1]/", "ftp://localhost/", f"{url}#fragment"]:
        page.fill("#url", bad)
        page.click("#connect")
        expect_error("SyntaxError: ")
    page.fill("#url", url)
    for bad in ["two words", "echo, echo", "echo,,other"]:
        page.fill("#protocol", bad)
        page.click("#connect")
        expect_error("SyntaxError: ")
    assert page.text_content("#state") == "none"
    page.fill("#protocol", "")
    page.click("#connect")
    echo_page.logged("message")
    for code, reason, error in [
        ("1001", "", "InvalidAccessError: "),
        ("5000", "", "InvalidAccessError: "),
        ("99999", "", "InvalidAccessError: "),
        ("abc", "", "TypeError: "),
        ("3000.5", "", "TypeError: "),
        ("", "a reason alone", "TypeError: "),
        ("3001", "字" * 42, "SyntaxError: "),
    ]:
        echo_page.disconnect(code, reason)
        expect_error(error)
        assert page.text_content("#state") == "OPEN"
    page.click("#send-file")
    expect_error("Choose a file")
    echo_page.disconnect("3001", "字" * 41)
    echo_page.logged("close")


def test_explains_that_there_is_no_connection(echo_page, page):
    page.focus("#text")
    page.keyboard.press("Enter")
    echo_page.logged("error", 1)
    page.focus("#code")
    page.keyboard.press("Enter")
    echo_page.logged("error", 2)
    assert page.get_attribute("#send", "aria-disabled") == "true"
    assert page.get_attribute("#disconnect", "aria-disabled") == "true"
    echo_page.connect()
    assert page.get_attribute("#send", "aria-disabled") == "false"
    assert page.get_attribute("#connect", "aria-disabled") == "true"
    page.focus("#url")
    page.keyboard.press("Enter")
    echo_page.logged("error", 3)


def test_keeps_the_newest_entry_in_view_and_clears_the_log(echo_page, page):
    echo_page.connect()
    for number in range(10):
        echo_page.echo(f"message {number}")
    assert page.locator("#log li").last.evaluate("""(entry) => {
        const view = document.getElementById("log").getBoundingClientRect();
        const { top, bottom } = entry.getBoundingClientRect();
        return top >= view.top && bottom <= view.bottom + 1;
    }""")
    page.click("#clear")
    assert page.locator("#log li").count() == 0
    echo_page.echo("after clearing")


# The layout does not depend on compression.
@pytest.mark.parametrize("server", ["plain"], indirect=True)
@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("width, height", [(320, 568), (390, 844), (820, 1180), (1280, 800)])
def test_fits(echo_page, page, color_scheme, width, height):
    page.emulate_media(color_scheme=color_scheme)
    page.set_viewport_size({"width": width, "height": height})
    echo_page.assert_fits()
    echo_page.connect(protocol="echo")
    echo_page.echo("x" * 300)
    echo_page.echo("字" * 30_000)
    echo_page.assert_fits()
    echo_page.entries("send").last.get_by_role("button").click()
    echo_page.assert_fits()
    echo_page.disconnect("1001")
    echo_page.logged("error")
    echo_page.disconnect("4999", "r" * 123)
    echo_page.logged("close")
    echo_page.assert_fits()
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = all(int(channel) > 127 for channel in re.findall(r"\d+", color)[:3])
    assert bright == (color_scheme == "light"), color
