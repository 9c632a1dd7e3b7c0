"""The eight programs in all pairs of a server and a client of both crates.

The checks are the same for both crates, except where a check names the crate. There the crates differ, and the guide
"Coming from tokio-tungstenite" says how.
"""

import re
import threading
import time
import urllib.request
from contextlib import contextmanager

import pytest
import websockets.sync.client
import websockets.sync.server
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import plain
from programs import BOUND

# What the program `client` prints first.
CONNECTED = "WebSocket handshake has been successfully completed"

# What a server logs until a client is connected.
LOG = ["Listening on: ADDRESS", "Peer address: ADDRESS", "New WebSocket connection: ADDRESS"]

# The headers of every request and of every response, in lower case.
REQUEST = {"host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-key"}
RESPONSE = {"connection", "upgrade", "sec-websocket-accept"}

# Options of websockets, the third implementation. Its deadlines do not interfere.
OPTIONS = {"open_timeout": BOUND, "close_timeout": BOUND, "ping_interval": None, "compression": None}


@pytest.fixture
def join(start):
    """Connects the program `client`."""

    def join(crate, url):
        client = start(crate, "client", url)
        assert client.line() == CONNECTED
        return client

    return join


def ends_with_its_server(client, reason=""):
    """Waits for the end of the program `client` after a Close frame of its server."""
    if client.crate == "original":
        # It cannot end before its input ends. A Close frame is a message there, so it prints the reason.
        client.end_input()
        assert "".join(client.ends(0)) == reason
    else:
        assert client.ends(0) == []


@pytest.mark.parametrize("name", ["echo-server", "autobahn-server"])
def test_echo(server_crate, client_crate, serve, join, name):
    server, url = serve(server_crate, name)
    client = join(client_crate, url)
    # The original prints longer lines in any order, because it sends and prints parts of 1024 bytes.
    for text in ["Hello", "", "Grüße 你好 🎉", "x" * 1000]:
        client.write(text)
        assert client.line() == text
    assert server.logs_until(LOG[-1]) == LOG
    client.end_input()
    assert client.ends(0) == []


def test_interval_server(server_crate, client_crate, serve, join):
    server, url = serve(server_crate, "interval-server")
    client = join(client_crate, url)
    ticks = lines = 0
    # The first tick comes at once. The others show that the interval goes on beside the echoes.
    while ticks < 3:
        client.write("Hello")
        line = client.line()
        assert re.fullmatch("(tick)*Hello", line)
        ticks += line.count("tick")
        lines += 1
        time.sleep(0.1)
    assert lines > 1
    assert server.logs_until(LOG[-1]) == LOG
    client.end_input()
    # The original drops the transport before it has written its Close frame. Our client reports that.
    client.ends(1 if (server_crate, client_crate) == ("original", "ours") else 0)


def new_client(server, path):
    """Reads what a chat server prints about a new client."""
    if not path:
        assert server.plain_line() == "Incoming TCP connection from: ADDRESS"
        assert server.plain_line() == "WebSocket connection established: ADDRESS"
        return
    assert server.line() == "Received a new, potentially ws handshake"
    assert server.line() == f"The request's path is: {path}"
    assert server.line() == "The request's headers are:"
    headers = set()
    while (line := server.plain_line()) != "WebSocket connection established: ADDRESS":
        headers.add(line)
    assert headers >= {f"* {name}" for name in REQUEST}


@pytest.mark.parametrize("name, path", [("server", ""), ("server-custom-accept", "/socket")])
def test_chat(server_crate, client_crate, serve, join, name, path):
    server, url = serve(server_crate, name)
    if not path:
        assert server.plain_line() == "Listening on: ADDRESS"
    clients = []

    def say(client, text):
        client.write(text)
        assert server.plain_line() == f"Received a message from ADDRESS: {text}"
        # The client sends the end of the line, too.
        assert server.line() == ""
        for other in clients:
            if other != client:
                assert other.line() == text

    # The clients of both crates talk to each other.
    for crate in [client_crate, "original", "ours"]:
        client = join(crate, url + path)
        new_client(server, path)
        # After this message, the server knows where to send the messages of others.
        say(client, f"{crate} joins")
        clients.append(client)
    for client in clients:
        say(client, f"{client.crate} talks")

    leaving, *staying = clients
    leaving.end_input()
    assert leaving.ends(0) == []
    if server_crate == "original":
        # It sends the Close frame to all others, too, because a Close frame is a message there.
        assert server.plain_line() == "Received a message from ADDRESS: "
        for client in staying:
            ends_with_its_server(client)
        return
    assert server.plain_line() == "ADDRESS disconnected"
    one, other = staying
    one.write("still here")
    assert other.line() == "still here"


def without_race(start, crate):
    """Starts `server-headers`, which is a server and its client, until the client has received its message."""
    while True:
        program = start(crate, "server-headers")
        try:
            program.logs_until("Received: Hello WebSocket")
            return program
        except AssertionError:
            # The client of the original does not wait until its server listens.
            assert crate == "original" and any("UnableToConnect" in line for line in program.errors)


def test_server_headers(server_crate, start):
    program = without_race(start, server_crate)
    lines = [re.sub(r"(sec-websocket-(key|accept): ).*", r"\1SECRET", plain(line)) for line in program.errors]
    assert set(lines) >= {
        "Received a new ws handshake",
        "The request's path is: /socket",
        "The request's headers are:",
        '* host: "localhost:8080"',
        '* sec-websocket-version: "13"',
        "* sec-websocket-key: SECRET",
        "Connected to the server",
        "Response HTTP code: 101 Switching Protocols",
        "Response contains the following headers:",
        "* sec-websocket-accept: SECRET",
        '* mycustomheader: ":)"',
        "Received: Hello WebSocket",
    }
    assert lines.count('* upgrade: "websocket"') == lines.count('* connection: "Upgrade"') == 2
    assert any(re.match("Server on message: .*Hello WebSocket", line) for line in lines)


@contextmanager
def connect(url, **options):
    with websockets.sync.client.connect(url, proxy=None, **OPTIONS, **options) as connection:
        yield connection


def end(connection):
    """Waits for the end of a connection, and returns the code of the peer's Close frame, or None without one."""
    with pytest.raises(ConnectionClosed) as ended:
        while True:
            connection.recv(BOUND)
    frame = ended.value.rcvd
    return frame and frame.code


SERVERS = ["echo-server", "server", "interval-server", "autobahn-server", "server-custom-accept", "server-headers"]


@pytest.fixture(params=SERVERS)
def any_server(request, server_crate, serve, start):
    """The name and the crate of a server, its URL, and the headers that it adds to the response."""
    name = request.param
    known = name, server_crate
    if name == "server-headers":
        without_race(start, server_crate)
        return *known, "ws://127.0.0.1:8080/socket", {"mycustomheader": ":)"}
    _, url = serve(server_crate, name)
    if name == "server-custom-accept":
        return *known, f"{url}/socket", {"mycustomheader": ":)", "some_tungstenite_header": "header_value"}
    return *known, f"{url}/", {}


def test_response(any_server):
    _, _, url, added = any_server
    with connect(url) as connection:
        headers = {name.lower(): value for name, value in connection.response.headers.raw_items()}
    # hyper adds the date.
    headers.pop("date", None)
    assert set(headers) == RESPONSE | set(added)
    assert headers | added == headers
    assert headers["connection"].lower() == "upgrade" and headers["upgrade"] == "websocket"


@pytest.mark.parametrize("code", [1000, 1001, 4000, None])
def test_answers_a_close_with_its_code(any_server, code):
    name, crate, url, _ = any_server
    with connect(url) as connection:
        if code:
            connection.close(code, "bye")
        else:
            # An empty Close frame, which the library never sends.
            connection.socket.sendall(b"\x88\x80\0\0\0\0")
            end(connection)
        answer = connection.protocol.close_rcvd
    if (name, crate) == ("interval-server", "original"):
        # It drops the transport as soon as it has received the Close frame.
        assert answer is None
    else:
        assert answer.code == (code or 1005)
        # Only the original repeats the reason.
        assert answer.reason == ("bye" if code and crate == "original" else "")


def test_a_violation(any_server):
    """The guide names this difference: the original drops the transport without a Close frame."""
    _, crate, url, _ = any_server
    with connect(url) as connection:
        # A text frame without a mask.
        connection.socket.sendall(b"\x81\x02hi")
        assert end(connection) == (1002 if crate == "ours" else None)


def test_a_page_of_another_host(server_crate, serve):
    _, url = serve(server_crate, "echo-server")
    # A page of the server itself.
    with connect(url, origin=url.replace("ws", "http")) as connection:
        connection.send("Hello")
        assert connection.recv(BOUND) == "Hello"
    if server_crate == "original":
        with connect(url, origin="https://example.com"):
            return
    with pytest.raises(InvalidStatus) as refused, connect(url, origin="https://example.com"):
        pass
    assert refused.value.response.status_code == 403


def test_a_request_without_a_websocket(server_crate, serve):
    _, url = serve(server_crate, "server-custom-accept")
    for path in ["/", "/other"]:
        with urllib.request.urlopen(url.replace("ws", "http") + path, timeout=BOUND) as response:
            assert (response.status, response.read()) == (200, b"Hello World!")
    with pytest.raises(InvalidStatus) as refused, connect(f"{url}/other"):
        pass
    assert refused.value.response.status_code == 200


@contextmanager
def serve_connections(port, handle):
    ended = []

    def handle_to_the_end(connection):
        end_of_this = threading.Event()
        ended.append(end_of_this)
        try:
            handle(connection)
        finally:
            end_of_this.set()

    with websockets.sync.server.serve(handle_to_the_end, "127.0.0.1", port, **OPTIONS) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join()
        # Each connection has a thread, which may still note how it has ended.
        for end_of_one in ended:
            assert end_of_one.wait(BOUND)


def test_client(client_crate, start):
    """The request, the messages and the end of the program `client`."""
    seen = []

    def handle(connection):
        seen.append({name.lower() for name in connection.request.headers})
        connection.send("text\n")
        seen.append(connection.recv(BOUND))
        connection.send(b"binary\n")
        seen.append(end(connection))

    with serve_connections(0, handle) as url:
        client = start(client_crate, "client", url)
        assert client.line() == CONNECTED
        assert client.line() == "text"
        client.write("Hello")
        assert client.line() == "binary"
        client.end_input()
        assert client.ends(0) == []
    assert seen == [REQUEST, b"Hello\n", 1000 if client_crate == "ours" else 1005]


@pytest.mark.parametrize("code", [1000, 4000])
def test_client_ends_with_its_server(client_crate, start, code):
    closed = threading.Event()

    def handle(connection):
        connection.close(code, "bye")
        closed.set()

    with serve_connections(0, handle) as url:
        client = start(client_crate, "client", url)
        assert client.line() == CONNECTED
        assert closed.wait(BOUND)
        ends_with_its_server(client, "bye")


def test_autobahn_client(client_crate, start):
    """The program asks for the number of cases, echoes each, and asks for the report."""
    # What each connection sees. The next one may begin before the thread of this one has noted its end.
    connections = []

    def handle(connection):
        path, _, query = connection.request.path.partition("?")
        seen = [path]
        connections.append(seen)
        if path == "/getCaseCount":
            connection.send("3")
        elif path == "/runCase":
            case, agent = query.split("&")
            seen.append(case)
            for message in ["text", b"binary", "", "x" * 100_000]:
                connection.send(message)
                assert connection.recv(BOUND) == message
            if case == "case=2":
                # A reserved opcode. The client goes on with the next case.
                connection.socket.sendall(b"\x83\x00")
                seen.append(end(connection))
                return
            connection.close(1000)
        else:
            assert query.startswith("agent=")
        seen.append(end(connection))

    with serve_connections(9001, handle):
        assert start(client_crate, "autobahn-client").ends(0) == []
    closed, violation = (1000, 1002) if client_crate == "ours" else (1005, None)
    assert connections == [
        ["/getCaseCount", closed],
        ["/runCase", "case=1", 1000],
        ["/runCase", "case=2", violation],
        ["/runCase", "case=3", 1000],
        ["/updateReports", closed],
    ]
