"""Ways to agree on compression, and a conversation that shows what both sides agreed on."""

import os
import random

import pytest

from vectors import TEXTS

NEITHER = ["client_no_context_takeover", "server_no_context_takeover"]
SMALL = ["client_max_window_bits=9", "server_max_window_bits=9"]

# Our option, the options of the library, whether our side takes its context over, and the parameters that the server's
# answer has if our side is the server and if it is the client.
AGREEMENTS = [
    pytest.param("--deflate", {}, True, [], [], id="defaults"),
    pytest.param("--deflate", dict.fromkeys(NEITHER, True), False, NEITHER, NEITHER, id="no context takeover"),
    pytest.param(
        "--deflate=no-context-takeover", {}, False, ["server_no_context_takeover"], ["client_no_context_takeover"],
        id="no context takeover on our side",
    ),
    pytest.param(
        "--deflate", {"client_max_window_bits": 9, "server_max_window_bits": 9}, True, SMALL, SMALL,
        id="windows of 512 bytes",
    ),
]  # fmt: skip

# What a server of websockets asks for without an option.
WEBSOCKETS_WINDOWS = ["client_max_window_bits=12", "server_max_window_bits=12"]


def only_frame(data):
    """Returns RSV1 and the payload length of the frame that is all of the data."""
    size, header = data[1] & 0x7F, 2
    if size > 125:
        header = 4 if size == 126 else 10
        size = int.from_bytes(data[2:header])
    masked = data[1] >> 7
    assert len(data) == header + 4 * masked + size
    return bool(data[0] & 0x40), size


def converse(connection, takeover, answer):
    """Sends messages to our side, which echoes them, and judges the frames that come back."""
    extension, *parameters = connection.response["Sec-WebSocket-Extensions"].replace(" ", "").split(";")
    assert extension == "permessage-deflate"
    assert sorted(parameters) == sorted(answer)

    def echo(message):
        connection.received.clear()
        connection.send(message)
        same(connection.message(), message)
        return only_frame(connection.received)

    # Short messages gain nothing: they are not compressed.
    for message in ["", b"", "short"]:
        assert echo(message) == (False, len(message))

    # Only with context takeover, the noise repeats what is in the window.
    noise = os.urandom(200)
    for known in [False, takeover]:
        compressed, size = echo(noise)
        assert compressed
        assert size < 50 if known else size > 200, size

    words = "".join(random.choice(["some ", "words, ", "你好 ", "👋 "]) for _ in range(1 << 18))
    text = words[: 1 << 19]
    compressed, size = echo(text)
    assert compressed and size < len(text) / 2, size
    compressed, size = echo(os.urandom(1 << 20))
    assert compressed and 1 << 20 < size < (1 << 20) * 1.01, size

    row = [words[: 100 * i] if i % 3 else str(i) for i in range(20)]
    for message in row:
        connection.send(message)
    for message in row:
        same(connection.message(), message)

    data = TEXTS["emoji"].encode()
    connection.send_fragments([data[:2], data[2:3], b"", data[3:]], text=True, ping="between")
    same(connection.message(), TEXTS["emoji"])
    connection.send_fragments(["", ""], text=True)
    same(connection.message(), "")

    # One message without compression, between messages with compression.
    connection.send(words[:500], compress=False)
    same(connection.message(), words[:500])
    assert echo(words[:1000])[0]


def same(message, expected):
    """Asserts that they are equal, with an error that stays short."""
    if message != expected:
        pytest.fail(f"{message!r:.80} instead of {expected!r:.80}")
