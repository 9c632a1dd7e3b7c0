"""The two libraries as peers of our programs. `Websockets` and `Ws` have the same methods, and so have their connections.

A connection keeps the bytes that it received since it opened in `received`.
"""

import base64
import itertools
import json
import queue
import re
import subprocess
import threading
from pathlib import Path
from socket import SHUT_RDWR, SHUT_WR

import websockets.extensions.permessage_deflate as permessage_deflate
import websockets.sync.client
import websockets.sync.server
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus

from programs import BOUND


class Refused(Exception):
    """Our server refused the opening handshake with this status."""


class Websockets:
    """Python's websockets."""

    def __init__(self, stack):
        self.stack = stack

    def connect(self, url, *, subprotocols=None, headers=None, deflate=None):
        options = options_of_websockets(deflate, permessage_deflate.ClientPerMessageDeflateFactory)
        options |= {"subprotocols": subprotocols, "additional_headers": headers, "proxy": None}
        try:
            ws = self.stack.enter_context(websockets.sync.client.connect(url, **options))
        except InvalidStatus as error:
            raise Refused(error.response.status_code) from None
        return WebsocketsConnection(ws)

    def serve(self, *, subprotocol=None, headers=None, refuse=None, greeting=None, deflate=None):
        """Returns the URL of a server, and a function that waits for its connection.

        The response has these headers. The server refuses with a status, or else sends the greeting.
        """
        connections = queue.Queue()

        def handle(ws):
            if greeting:
                ws.send(greeting)
            connections.put(WebsocketsConnection(ws))
            ws.wait_closed()

        def respond(ws, request, response):
            for name, value in (headers or {}).items():
                response.headers.pop(name, None)
                response.headers[name] = value

        options = options_of_websockets(deflate, permessage_deflate.ServerPerMessageDeflateFactory)
        options |= {"subprotocols": ["echo", subprotocol] if subprotocol else None, "process_response": respond}
        if refuse:
            options["process_request"] = lambda ws, request: ws.respond(refuse, "not you\n")
        server = websockets.sync.server.serve(handle, "127.0.0.1", 0, **options)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.stack.callback(server.shutdown)
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", lambda: connections.get(timeout=BOUND)


def options_of_websockets(deflate, factory):
    # The deadlines and limits of the library do not interfere.
    options = {"open_timeout": BOUND, "close_timeout": BOUND, "ping_interval": None, "max_size": None}
    if deflate is False:
        options["compression"] = None
    elif deflate:
        options["extensions"] = [factory(**deflate)]
    return options


class WebsocketsConnection:
    def __init__(self, ws):
        self.ws = ws
        self.subprotocol = ws.subprotocol or ""
        self.extensions = ", ".join(extension.name for extension in ws.protocol.extensions)
        self.request, self.response = ws.request.headers, ws.response.headers
        self.received = bytearray()
        receive_data = ws.protocol.receive_data

        def receive(data):
            self.received += data
            receive_data(data)

        ws.protocol.receive_data = receive

    def send(self, message, *, compress=True):
        [deflate] = self.ws.protocol.extensions or [None]
        if not compress:
            deflate.encode = lambda frame: frame
        self.ws.send(message)
        if not compress:
            del deflate.encode

    def send_fragments(self, fragments, *, text, ping=None):
        """Sends a message in fragments, and an empty one at the end. After the first fragment it waits for a Pong."""

        def pieces():
            yield fragments[0]
            if ping is not None:
                self.ping(ping)
            yield from fragments[1:]

        self.ws.send(pieces(), text=text)

    def message(self):
        return self.ws.recv(timeout=BOUND)

    def ping(self, payload):
        """Sends a Ping and waits for the Pong with the same payload."""
        assert self.ws.ping(payload).wait(BOUND)

    def close(self, code=None, reason=""):
        self.ws.close(code, reason)

    def closed(self):
        """Waits for the end. Returns the code, the reason and whether the end was clean."""
        try:
            message = self.ws.recv(timeout=BOUND)
        except ConnectionClosed as end:
            return self.ws.close_code, self.ws.close_reason, end.rcvd is not None and end.sent is not None
        raise AssertionError(f"a message instead of the end: {message!r:.80}")

    def write(self, data):
        """Writes bytes without the library."""
        self.ws.socket.sendall(data)

    def end(self):
        """Ends our direction of TCP."""
        self.ws.socket.shutdown(SHUT_WR)

    def drop(self):
        """Ends TCP without a closing handshake."""
        self.ws.socket.shutdown(SHUT_RDWR)


class Node:
    """The process of ws.mjs."""

    def __init__(self, folder):
        command = ["node", Path(__file__).with_name("ws.mjs"), folder]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.connections = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            id, event, *details = json.loads(line, object_hook=unpack)
            # A test that has ended leaves its last events unread.
            if connection := self.connections.get(id):
                connection.take(event, details)

    def command(self, id, *command):
        self.process.stdin.write(json.dumps([id, *command], default=pack) + "\n")
        self.process.stdin.flush()


def pack(data):
    return {"base64": base64.b64encode(data).decode()}


def unpack(value):
    return base64.b64decode(value["base64"]) if "base64" in value else value


class Ws:
    """Node's ws."""

    ids = itertools.count()

    def __init__(self, stack, node):
        self.stack = stack
        self.node = node

    def connect(self, url, *, subprotocols=None, headers=None, deflate=None):
        connection = self._connection()
        connection.command("connect", url, subprotocols or [], options_of_ws(deflate) | {"headers": headers or {}})
        return connection.opened()

    def serve(self, *, headers=None, deflate=None, **options):
        connection = self._connection()
        # Without an option, a server of ws declines compression.
        deflate = {} if deflate is None else deflate
        connection.command("serve", options_of_ws(deflate) | {"headers": headers or {}} | options)
        event, port = connection.starts.get(timeout=BOUND)
        assert event == "listening", (event, port)
        return f"ws://127.0.0.1:{port}/", connection.opened

    def _connection(self):
        connection = WsConnection(self.node, next(self.ids))
        self.node.connections[connection.id] = connection
        self.stack.callback(self.node.connections.pop, connection.id)
        self.stack.callback(connection.command, "release")
        return connection


def options_of_ws(deflate):
    options = {"closeTimeout": 1000 * BOUND}
    if deflate is False:
        options["perMessageDeflate"] = False
    elif deflate is not None:
        camel_case = {re.sub("_(.)", lambda letter: letter[1].upper(), name): deflate[name] for name in deflate}
        options["perMessageDeflate"] = camel_case
    return options


class WsConnection:
    def __init__(self, node, id):
        self.node, self.id = node, id
        self.received = bytearray()
        self.starts, self.messages, self.pongs = queue.Queue(), queue.Queue(), queue.Queue()

    def take(self, event, details):
        if event == "bytes":
            self.received += details[0]
        else:
            queues = {"message": self.messages, "closed": self.messages, "pong": self.pongs}
            queues.get(event, self.starts).put((event, *details))

    def command(self, *command):
        self.node.command(self.id, *command)

    def opened(self):
        event, *details = self.starts.get(timeout=BOUND)
        if event == "refused":
            raise Refused(*details)
        if event == "error":
            raise ConnectionError(*details)
        self.subprotocol, self.extensions, request, response = details
        self.request, self.response = Headers(request), Headers(response)
        return self

    def send(self, message, *, compress=True):
        self.command("send", message, {"compress": compress})

    def send_fragments(self, fragments, *, text, ping=None):
        """Sends a message in fragments, and a Ping after the first of them."""
        for number, fragment in enumerate(fragments, 1):
            self.command("send", fragment, {"binary": not text, "fin": number == len(fragments)})
            if number == 1 and ping is not None:
                self.command("ping", ping)
        if ping is not None:
            assert self.pong() == ping

    def message(self):
        event, *details = self.messages.get(timeout=BOUND)
        assert event == "message", f"the connection ended: {details}"
        return details[0]

    def ping(self, payload):
        self.command("ping", payload)
        assert self.pong() == payload

    def pong(self):
        """Waits for a Pong. Returns its payload."""
        _, payload = self.pongs.get(timeout=BOUND)
        return payload

    def close(self, *details):
        self.command("close", *details)

    def closed(self):
        event, *details = self.messages.get(timeout=BOUND)
        assert event == "closed", f"a message instead of the end: {details!r:.80}"
        return tuple(details)

    def write(self, data):
        self.command("write", data)

    def end(self):
        self.command("end")

    def drop(self):
        self.command("terminate")
