"""WebSockets in streams of HTTP/2 (RFC 8441): from Chromium, and from the client of the example."""

import pytest
from playwright.sync_api import expect

from conftest import TARGET, serving
from programs import Program

ACCEPTED = "WebSocket over HTTP/2.0"


@pytest.fixture
def certificate(tmp_path):
    return tmp_path / "certificate.pem"


@pytest.fixture
def server(certificate):
    with serving("example-http2", "--write-cert", certificate) as server:
        yield server


@pytest.fixture
def page(visit, server):
    page = visit(server.origin)
    expect(page.locator("#state")).to_have_text("open")
    # The request was an extended CONNECT.
    assert server.line() == ACCEPTED
    return page


def logs(page, text):
    expect(page.locator("#log li").get_by_text(text, exact=True)).to_have_count(1)


def test_echoes(page):
    assert page.text_content("#protocol") == "h2"
    page.fill("#text", "Hello over HTTP/2, 你好")
    page.click("#send button")
    logs(page, "Hello over HTTP/2, 你好")


def test_messages_larger_than_the_flow_control_windows(page):
    assert page.evaluate("""async () => {
        const data = new Uint8Array(4 << 20).map((_, i) => (i * 31) ^ (i >> 8));
        const back = new Promise((done) => socket.addEventListener("message", ({ data }) => done(data), { once: true }));
        socket.send(data);
        const echo = new Uint8Array(await back);
        return echo.length === data.length && echo.every((byte, i) => byte === data[i]);
    }""")


def test_50_streams_of_one_connection(page, server):
    results = page.evaluate("""() => {
        const talk = (name) => new Promise((done) => {
            const socket = new WebSocket(url);
            let heard = 0;
            socket.onopen = () => socket.send(`${name} 0`);
            socket.onmessage = ({ data }) => {
                if (data !== `${name} ${heard}`) return done(`${name}: ${data}`);
                heard += 1;
                if (heard === 20) socket.close(3001, "done");
                else socket.send(`${name} ${heard}`);
            };
            socket.onclose = ({ code, wasClean }) => done(`${code} ${wasClean}`);
        });
        return Promise.all(Array.from({ length: 50 }, (_, i) => talk(i)));
    }""")
    assert results == ["3001 true"] * 50
    assert [server.line() for _ in range(50)] == [ACCEPTED] * 50
    assert server.rest() == []


def test_the_client_of_the_example(server, certificate):
    url = server.origin.replace("https", "wss") + "echo"
    with Program(TARGET / "client", url, "--ca", certificate, "one", "two") as client:
        assert client.ends(0) == ["one", "two", "closed with 1000 (normal closure), cleanly"]
    assert server.line() == ACCEPTED


def test_the_server_ends_with_1001(page, server):
    server.stop()
    logs(page, "closed with 1001")
