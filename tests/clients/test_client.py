"""The libraries as servers of examples/client.rs."""

import re
import socket
import threading

import pytest

from compression import AGREEMENTS, WEBSOCKETS_WINDOWS, converse, same
from libraries import Websockets
from vectors import COMPRESSED, CORRUPT, TEXTS, VIOLATIONS

CLOSED = 'closed 1000 "" clean'


def sends(connection, client, text):
    client.write(text)
    same(connection.message(), text)


def shows(connection, client, text):
    connection.send(text)
    same(client.line(), f"text: {text}")


LINES = TEXTS | {"1 MiB of text": "x" * (1 << 20)}


@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
def test_sends_and_shows(opened, text):
    connection, client = opened()
    sends(connection, client, text)
    shows(connection, client, text)


def test_shows_binary(opened):
    connection, client = opened()
    connection.send(bytes(70_000))
    assert client.line() == "binary: 70000 bytes"


def test_shows_text_that_follows_the_101_at_once(opened):
    _, client = opened(greeting="at once")
    assert client.line() == "text: at once"


def test_shows_text_cut_inside_a_character(opened):
    connection, client = opened()
    data = TEXTS["emoji"].encode()
    for ping in [None, "between"]:
        connection.send_fragments([data[:2], data[2:3], data[3:]], text=True, ping=ping)
        if ping:
            assert client.line() == "ping: between"
        assert client.line() == f"text: {TEXTS['emoji']}"


def test_shows_fragmented_binary_after_the_ping_inside_it(opened):
    connection, client = opened()
    connection.send_fragments([b"\1\2", b"\3"], text=False, ping="between")
    assert client.line() == "ping: between"
    assert client.line() == "binary: 3 bytes"


def test_echoes_and_ends_with_the_connection(pair):
    connection, client = pair("--echo")
    for message in [TEXTS["Chinese"], b"\x00\xff", "", b"sockless" * (1 << 17)]:
        connection.send(message)
        same(connection.message(), message)
    connection.send_fragments(["one, ", "two, ", "three"], text=True)
    assert connection.message() == "one, two, three"
    connection.close(1000)
    assert client.ends(0)[-1] == CLOSED


def test_sends_a_ping_and_shows_the_pong(opened):
    connection, client = opened()
    client.write("/ping payload")
    assert client.line() == "pong: payload"


# websockets does not show a Pong without a Ping.
@pytest.mark.parametrize("library", ["ws"], indirect=True)
def test_sends_a_pong(opened):
    connection, client = opened()
    client.write("/pong payload")
    assert connection.pong() == "payload"


def test_sends_text_that_begins_with_a_slash(opened):
    connection, client = opened()
    client.write("//close 1000")
    assert connection.message() == "/close 1000"


def test_lists_its_commands(opened):
    connection, client = opened()
    client.write("/help")
    for command in ["/ping", "/pong", "/close", "/help", "//"]:
        assert client.line().startswith(command)


def test_sends_nothing_for_an_unknown_command(opened):
    connection, client = opened()
    client.write("/nonsense text")
    # This message is the first.
    sends(connection, client, "text")
    client.end_input()
    client.ends(0)
    [line] = client.errors
    assert line.startswith("not sent:") and "/nonsense" in line


def test_shows_a_ping_and_answers_it(opened):
    connection, client = opened()
    connection.ping("payload")
    assert client.line() == "ping: payload"


@pytest.mark.parametrize("code, reason", [(1000, "done"), (3001, "原因 reason")])
def test_answers_a_close_with_its_code(opened, code, reason):
    connection, client = opened()
    connection.close(code, reason)
    assert connection.closed() == (code, "", True)
    assert client.ends(0 if code == 1000 else 1) == [f'closed {code} "{reason}" clean']


def test_answers_an_empty_close(opened):
    connection, client = opened()
    connection.close()
    assert connection.closed() == (1005, "", True)
    assert client.ends(1) == ['closed 1005 "" clean']


@pytest.mark.parametrize("code", [1000, 4001])
def test_closes(opened, code):
    connection, client = opened()
    client.write(f"/close {code} bye")
    assert connection.closed() == (code, "bye", True)
    assert client.ends(0 if code == 1000 else 1) == [f'closed {code} "bye" clean']


def test_closes_with_1000_by_default(opened):
    connection, client = opened()
    client.write("/close")
    assert connection.closed() == (1000, "", True)
    assert client.ends(0) == [CLOSED]


def test_goes_on_after_a_close_code_that_must_not_be_sent(opened):
    connection, client = opened()
    codes = ["abc", "0", "999", "1004", "1005", "1006", "1015", "2999", "5000", "65536", "-1"]
    for code in codes:
        client.write(f"/close {code} bye")
    sends(connection, client, "still here")
    client.end_input()
    assert client.ends(0) == [CLOSED]
    assert len(client.errors) == len(codes)
    for line, code in zip(client.errors, codes):
        assert line.startswith("not sent: ") and code in line


def test_closes_with_1000_at_the_end_of_its_input(opened):
    connection, client = opened()
    sends(connection, client, "last words")
    client.end_input()
    code, reason, clean = connection.closed()
    assert (code, clean) == (1000, True)
    assert client.ends(0) == [f'closed 1000 "{reason}" clean']


def test_shows_the_end_of_tcp_without_a_close(opened):
    connection, client = opened()
    connection.end()
    assert client.ends(1) == ['closed 1006 "" not clean']


def test_agrees_on_a_subprotocol(ours, pair):
    connection, client = pair("--protocol", "unknown,chat", subprotocol="chat")
    assert connection.subprotocol == "chat"
    assert client.line() == ours.open_line.replace("open", "open subprotocol=chat")
    assert connection.request["Sec-WebSocket-Protocol"].replace(" ", "") == "unknown,chat"


def test_goes_on_without_a_subprotocol(opened):
    sends(*opened("--protocol", "unknown,chat"), "hello")


@pytest.mark.parametrize(
    "header",
    [{"Sec-WebSocket-Protocol": "chat"}, {"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}],
    ids=["a subprotocol that it did not offer", "a wrong accept key"],
)
def test_refuses(ours, library, header):
    url, accept = library.serve(headers=header)
    client = ours.client(url)
    # The server has answered with 101.
    accept()
    assert client.ends(1) == []


def test_sends_a_header_of_the_caller(opened):
    connection, _ = opened("--header", "X-Custom: some value")
    assert connection.request["X-Custom"] == "some value"


@pytest.mark.parametrize(
    "status, advice",
    [(400, "version"), (401, "Authorization"), (404, "this path"), (407, "Proxy-Authorization"), (503, "later")],
)
def test_explains_a_refusal(ours, library, status, advice):
    client = ours.client(library.serve(refuse=status)[0])
    assert client.ends(1) == []
    [line] = client.errors
    assert line.startswith(f"refused {status}: ") and advice in line


def test_shows_the_target_of_a_redirection(ours, library):
    client = ours.client(library.serve(refuse=302, headers={"Location": "http://example.com/"})[0])
    assert client.ends(1) == []
    assert re.match(r'refused 302: .*"http://example\.com/"$', client.errors[0])


@pytest.mark.parametrize(
    "answer, advice",
    [
        (b"\x15\x03\x03\x00\x02\x02F", "the server speaks TLS"),
        (b"SSH-2.0-nothing\r\n", "another protocol"),
        (b"", "another protocol"),
    ],
    ids=["TLS alert", "SSH", "nothing"],
)
def test_explains_an_answer_that_is_not_http(ours, answer, advice):
    def serve():
        transport, _ = listener.accept()
        with transport:
            transport.recv(1 << 16)
            transport.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        client = ours.client(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        assert client.ends(1) == []
    assert advice in client.errors[0]


def test_ends_with_2_after_a_bad_argument(ours):
    assert ours.client("--no-such-option").ends(2) == []


@pytest.mark.parametrize("session_programs", ["deflate"], indirect=True)
@pytest.mark.parametrize("our_option, options, takeover, _, answer", AGREEMENTS)
def test_echoes_compressed(library, opened, our_option, options, takeover, _, answer):
    connection, client = opened(our_option, "--echo", deflate=options or None)
    if isinstance(library, Websockets) and not options:
        answer = answer + WEBSOCKETS_WINDOWS
    converse(connection, takeover, answer)
    connection.close(1000)
    assert client.ends(0)[-1] == CLOSED


@pytest.mark.parametrize("session_programs", ["deflate"], indirect=True)
def test_goes_on_if_the_server_declines_compression(ours, library):
    url, accept = library.serve(deflate=False)
    client = ours.client(url)
    connection = accept()
    assert client.line() == "open"
    sends(connection, client, "x" * 1000)


@pytest.mark.parametrize("session_programs", ["deflate"], indirect=True)
def test_fails_with_1007_on_data_that_is_not_deflate(opened):
    connection, client = opened()
    connection.write(CORRUPT["to_client"])
    assert connection.closed()[0] == 1007
    client.ends(1)


@pytest.mark.parametrize("session_programs", ["plain"], indirect=True)
def test_fails_with_1002_on_compression_without_an_offer(opened):
    connection, client = opened()
    connection.write(COMPRESSED["to_client"])
    assert connection.closed()[0] == 1002
    client.ends(1)


@pytest.mark.parametrize("code, _, to_client", VIOLATIONS)
def test_fails(opened, code, _, to_client):
    connection, client = opened()
    shows(connection, client, "before")
    connection.write(to_client)
    assert connection.closed()[0] == code
    [line] = client.ends(1)
    assert re.fullmatch(r'closed \d+ ".*" not clean', line)
