"""Gives streams of bytes to wsproto: jobs come on stdin, results go to stdout, both in the order of src/peers/wsproto.rs.

The application that wsproto asks for is here: it answers each event with what the event offers as its
response, and stops at the end of the connection.
"""

import struct
import sys
from importlib.metadata import version

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

TEXT, BINARY, PING, PONG, CLOSE = range(5)


def receive(role, pieces):
    """What comes of the stream: events, the code of a refusal or 0, what is written."""
    connection = Connection(role)
    events, written, message = [], [], []
    for piece in pieces:
        connection.receive_data(piece)
        for event in connection.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                text = isinstance(event, TextMessage)
                message.append(event.data.encode() if text else event.data)
                if event.message_finished:
                    events.append((TEXT if text else BINARY, 0, b"".join(message)))
                    message.clear()
            elif isinstance(event, Ping):
                events.append((PING, 0, event.payload))
                written.append(connection.send(event.response()))
            elif isinstance(event, Pong):
                events.append((PONG, 0, event.payload))
            elif isinstance(event, CloseConnection):
                # A violation comes as the same event, and leaves the connection open.
                refused = connection.state is ConnectionState.OPEN
                if not refused:
                    events.append((CLOSE, event.code, event.reason.encode()))
                written.append(connection.send(event.response()))
                return events, event.code if refused else 0, b"".join(written)
            else:
                raise TypeError(event)
    return events, 0, b"".join(written)


def main():
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    about = f"{version('wsproto')} Python {sys.version.split()[0]}".encode()
    stdout.write(struct.pack("!I", len(about)) + about)
    while head := stdin.read(9):
        client, count, length = struct.unpack("!?II", head)
        places = struct.unpack(f"!{count}I", stdin.read(4 * count))
        stream = stdin.read(length)
        bounds = (0, *places, length)
        pieces = [stream[start:end] for start, end in zip(bounds, bounds[1:])]
        role = ConnectionType.CLIENT if client else ConnectionType.SERVER
        events, refused, written = receive(role, pieces)
        stdout.write(struct.pack("!HI", refused, len(events)))
        for kind, code, data in events:
            stdout.write(struct.pack("!BHI", kind, code, len(data)) + data)
        stdout.write(struct.pack("!I", len(written)) + written)
    stdout.flush()


main()
