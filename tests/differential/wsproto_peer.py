"""Gives streams of bytes to wsproto.

Each line on stdin is one stream, in JSON: `[ROLE, PLACES, BYTES]`. The answer is one line: `REFUSED,WRITTEN,EVENT,...`, where
REFUSED is a close code or 0, WRITTEN is in hexadecimal, and EVENT is `TYPE:CODE:HEX`. The first line is the version of wsproto.

This script is the application that wsproto needs. It answers each event with the response that the event offers, and stops
at the end of the connection.
"""

import json
import sys
from importlib.metadata import version

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage


def receive(role, pieces):
    """Returns the events, the close code of a refusal or 0, and what is written."""
    connection = Connection(role)
    events, written, message = [], b"", b""
    for piece in pieces:
        connection.receive_data(piece)
        for event in connection.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                text = isinstance(event, TextMessage)
                message += event.data.encode() if text else event.data
                if event.message_finished:
                    events.append(("Text" if text else "Binary", 0, message))
                    message = b""
            elif isinstance(event, Ping):
                events.append(("Ping", 0, event.payload))
                written += connection.send(event.response())
            elif isinstance(event, Pong):
                events.append(("Pong", 0, event.payload))
            elif isinstance(event, CloseConnection):
                # wsproto reports a violation by the same event, but leaves the connection open.
                refused = connection.state is ConnectionState.OPEN
                if not refused:
                    events.append(("Close", event.code, event.reason.encode()))
                written += connection.send(event.response())
                return events, event.code if refused else 0, written
            else:
                raise TypeError(event)
    return events, 0, written


print(f"wsproto=={version('wsproto')}", flush=True)
for line in sys.stdin:
    role, places, stream = json.loads(line)
    bounds = (0, *places, len(stream))
    pieces = [bytes(stream[start:end]) for start, end in zip(bounds, bounds[1:])]
    events, refused, written = receive(ConnectionType[role], pieces)
    words = [f"{kind}:{code:d}:{bytes(data).hex(' ')}" for kind, code, data in events]
    print(int(refused), written.hex(" "), *words, sep=",", flush=True)
