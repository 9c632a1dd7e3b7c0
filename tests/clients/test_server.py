"""The libraries as clients of examples/echo_server.rs."""

import http.client
import itertools

import pytest

from compression import AGREEMENTS, converse, same
from libraries import Refused
from programs import BOUND
from vectors import COMPRESSED, CORRUPT, TEXTS, VIOLATIONS


def echoes(connection, message):
    connection.send(message)
    same(connection.message(), message)


def request(address, path, headers=()):
    connection = http.client.HTTPConnection(address, timeout=BOUND)
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    connection.close()
    return response


MESSAGES = {
    **TEXTS,
    "binary": bytes(range(256)),
    "empty text": "",
    "empty binary": b"",
    "1 MiB of text": "x" * (1 << 20),
    "1 MiB of binary": b"sockless" * (1 << 17),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_echoes_a_message(connect, message):
    echoes(connect(), message)


def test_joins_text_cut_inside_a_character(connect):
    connection = connect()
    data = TEXTS["Chinese"].encode()
    for ping in [None, "between"]:
        connection.send_fragments([data[:4], data[4:5], data[5:]], text=True, ping=ping)
        assert connection.message() == TEXTS["Chinese"]


def test_joins_binary(connect):
    connection = connect()
    for ping in [None, "between"]:
        connection.send_fragments([b"\1\2", b"", b"\3"], text=False, ping=ping)
        assert connection.message() == b"\1\2\3"


@pytest.mark.parametrize("payload", ["payload", "", "x" * 125], ids=["short", "empty", "longest"])
def test_answers_a_ping_with_its_payload(connect, payload):
    connect().ping(payload)


def test_keeps_20_connections_apart(connect):
    connections = [connect() for _ in range(20)]
    for number, connection in reversed(list(enumerate(connections))):
        connection.send(f"message {number}")
    for number, connection in enumerate(connections):
        assert connection.message() == f"message {number}"


@pytest.mark.parametrize("code, reason", [(1000, ""), (1000, "done"), (3001, "原因 reason")])
def test_answers_a_close_with_its_code(connect, code, reason):
    connection = connect()
    connection.close(code, reason)
    assert connection.closed() == (code, "", True)


def test_answers_an_empty_close(connect):
    connection = connect()
    connection.close()
    assert connection.closed() == (1005, "", True)


@pytest.mark.parametrize("code", [1000, 4001])
def test_closes(connect, code):
    assert connect(f"/close/{code}/bye").closed() == (code, "bye", True)


def test_goes_on_after_a_peer_drops_its_connection(connect):
    dropped = connect()
    dropped.drop()
    dropped.closed()
    echoes(connect(), "still here")


def test_greets_without_quiet(ours, connect):
    connection = connect(address=ours.server()[0])
    assert isinstance(connection.message(), str)
    echoes(connection, "after the greeting")


def test_serves_its_page_only_at_the_root(address):
    assert request(address, "/").status == 200
    assert request(address, "/elsewhere").status == 404


@pytest.mark.parametrize("offer, agreed", [(["echo"], "echo"), (["unknown", "chat"], "chat"), ([], "")])
def test_agrees_on_a_subprotocol_that_it_knows(connect, offer, agreed):
    assert connect(subprotocols=offer or None).subprotocol == agreed


@pytest.mark.parametrize("library", ["websockets"], indirect=True)
def test_agrees_on_no_subprotocol_that_it_does_not_know(connect):
    connection = connect(subprotocols=["unknown"])
    assert connection.subprotocol == ""
    assert "Sec-WebSocket-Protocol" not in connection.response
    echoes(connection, "hello")


# ws ends a connection without a subprotocol if it offered one.
@pytest.mark.parametrize("library", ["ws"], indirect=True)
def test_sends_no_subprotocol_that_it_does_not_know(connect):
    with pytest.raises(ConnectionError, match="Server sent no subprotocol"):
        connect(subprotocols=["unknown"])


def test_accepts_a_request_with_other_headers(connect):
    headers = {"Origin": "http://example.com", "Cookie": "a=b; c=d", "X-Long": "x" * 4000}
    echoes(connect("/any/path?and=query", headers=headers), "hello")


def test_refuses_with_403(connect):
    with pytest.raises(Refused, match="403"):
        connect("/refuse")


@pytest.mark.parametrize("version", ["8", "12"])
def test_refuses_other_versions_and_names_version_13(address, version):
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    response = request(address, "/", headers | {"Sec-WebSocket-Version": version})
    assert (response.status, response.getheader("Sec-WebSocket-Version")) == (426, "13")


@pytest.mark.parametrize("session_programs", ["deflate"], indirect=True)
@pytest.mark.parametrize("our_option, options, takeover, answer, _", AGREEMENTS)
def test_echoes_compressed(ours, connect, our_option, options, takeover, answer, _):
    address, server = ours.server(our_option)
    connection = connect(address=address, deflate=options)
    assert server.line() == "[1] open / extensions=permessage-deflate"
    connection.message()  # The greeting.
    converse(connection, takeover, answer)
    connection.close(1000)
    assert connection.closed() == (1000, "", True)
    lines = itertools.takewhile(lambda line: not line.startswith("[1] closed "), iter(server.line, None))
    assert "compressed" in [line.strip() for line in lines]


@pytest.mark.parametrize("session_programs", ["deflate"], indirect=True)
def test_fails_with_1007_on_data_that_is_not_deflate(connect):
    connection = connect()
    connection.write(CORRUPT["to_server"])
    assert connection.closed()[0] == 1007


@pytest.mark.parametrize("session_programs", ["plain"], indirect=True)
def test_fails_with_1002_on_compression_without_agreement(connect):
    connection = connect()
    connection.write(COMPRESSED["to_server"])
    assert connection.closed()[0] == 1002


# Whether the library still answers our Close depends on timing.
@pytest.mark.parametrize("code, to_server, _", VIOLATIONS)
def test_fails(connect, code, to_server, _):
    connection = connect()
    echoes(connection, "before")
    connection.write(to_server)
    assert connection.closed()[0] == code
