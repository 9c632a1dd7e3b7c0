"""Texts, and frames that break the protocol. A client masks its frames."""

import pytest

TEXTS = {
    "ASCII": "Hello, WebSocket!",
    "Chinese": "你好,世界。每个字三个字节。",
    "emoji": "👋 🌍 👩‍👩‍👧‍👦 🇨🇳 four bytes each",
}

# Each fails the connection with a code: as the client sends it, and as the server sends it.
VIOLATIONS = [
    pytest.param(code, bytes.fromhex(to_server), bytes.fromhex(to_client), id=f"{code} {name}")
    for name, code, to_server, to_client in [
        ("wrong mask bit", 1002, "81 05 48 65 6c 6c 6f", "81 85 37 fa 21 3d 7f 9f 4d 51 58"),
        ("reserved bit", 1002, "91 80 37 fa 21 3d", "91 00"),
        ("reserved opcode", 1002, "83 80 37 fa 21 3d", "83 00"),
        ("fragmented Ping", 1002, "09 80 37 fa 21 3d", "09 00"),
        ("header of a Ping of 126 bytes", 1002, "89 fe 00 7e", "89 7e 00 7e"),
        ("continuation of nothing", 1002, "80 80 37 fa 21 3d", "80 00"),
        ("message inside a message", 1002, "01 80 37 fa 21 3d 81 80 37 fa 21 3d", "01 00 81 00"),
        ("length not in its shortest form", 1002, "82 fe 00 03 00 00 00 00 61 62 63", "82 7e 00 03 61 62 63"),
        ("Close of one byte", 1002, "88 81 00 00 00 00 03", "88 01 03"),
        ("Close with 1005", 1002, "88 82 00 00 00 00 03 ed", "88 02 03 ed"),
        ("Close whose reason is not UTF-8", 1007, "88 83 00 00 00 00 03 e8 ff", "88 03 03 e8 ff"),
        ("text that is not UTF-8", 1007, "81 81 00 00 00 00 ff", "81 01 ff"),
        (
            "second fragment that breaks a character", 1007,
            "01 81 00 00 00 00 e4 80 81 00 00 00 00 41", "01 01 e4 80 01 41",
        ),
        (
            "header of a message beyond every limit", 1009,
            "82 ff 40 00 00 00 00 00 00 00 37 fa 21 3d", "82 7f 40 00 00 00 00 00 00 00",
        ),
    ]
]  # fmt: skip

# Compressed text: an empty one, and one that is not DEFLATE.
COMPRESSED = {"to_server": bytes.fromhex("c1 80 37 fa 21 3d"), "to_client": bytes.fromhex("c1 00")}
CORRUPT = {"to_server": bytes.fromhex("c1 81 00 00 00 00 07"), "to_client": bytes.fromhex("c1 01 07")}
