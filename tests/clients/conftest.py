"""The fixtures: our programs, and the libraries as their peers."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.register_assert_rewrite("compression", "libraries")

from libraries import Node, Websockets, Ws
from programs import Program

WORK = Path(os.environ["CLIENTS"])
EXTENSION = "permessage-deflate"


class Ours:
    """Our programs, built without compression or with it. They end with the stack."""

    def __init__(self, folder, deflate, stack):
        self.folder, self.deflate, self.stack = folder, deflate, stack
        # What the client prints first.
        self.open_line = f"open extensions={EXTENSION}" if deflate else "open"

    def _start(self, name, arguments, *last):
        if self.deflate and not any(argument.startswith("--deflate") for argument in arguments):
            arguments = ["--deflate", *arguments]
        # Our deadlines do not interfere.
        return self.stack.enter_context(Program(self.folder / name, "--timeout", "600", *arguments, *last))

    def server(self, *arguments):
        """Returns the address of a new echo server, and the program."""
        server = self._start("echo_server", arguments, "127.0.0.1:0")
        return server.url().removeprefix("http://").removesuffix("/"), server

    def client(self, *arguments):
        return self._start("client", arguments)

    def assert_compression(self, connection, our_headers):
        """Our server declines compression and our client does not offer it, unless they have the option."""
        assert connection.extensions == (EXTENSION if self.deflate else "")
        extension, _, _ = our_headers.get("Sec-WebSocket-Extensions", "").partition(";")
        assert extension == connection.extensions


@pytest.fixture(scope="session", params=["plain", "deflate"])
def session_programs(request):
    with ExitStack() as stack:
        yield Ours(WORK / request.param, request.param == "deflate", stack)


@pytest.fixture
def ours(session_programs):
    with ExitStack() as stack:
        yield Ours(session_programs.folder, session_programs.deflate, stack)


@pytest.fixture(scope="session")
def address(session_programs):
    """The address of an echo server for all tests."""
    return session_programs.server("--quiet")[0]


@pytest.fixture(scope="session")
def node():
    node = Node(WORK / "node")
    yield node
    node.process.kill()
    node.process.wait()


@pytest.fixture(params=["ws", "websockets"])
def library(request):
    with ExitStack() as stack:
        yield Ws(stack, request.getfixturevalue("node")) if request.param == "ws" else Websockets(stack)


@pytest.fixture
def connect(ours, library, address):
    """Connects the library, with its default offer of compression, to an echo server."""

    def connect(path="/", *, address=address, **options):
        connection = library.connect(f"ws://{address}{path}", **options)
        assert EXTENSION in connection.request["Sec-WebSocket-Extensions"]
        ours.assert_compression(connection, connection.response)
        return connection

    return connect


@pytest.fixture
def pair(ours, library):
    """Connects our client, with these arguments, to a server of the library. Returns the connection and the client."""

    def pair(*arguments, **options):
        url, accept = library.serve(**options)
        client = ours.client(*arguments, url)
        connection = accept()
        ours.assert_compression(connection, connection.request)
        return connection, client

    return pair


@pytest.fixture
def opened(ours, pair):
    """A pair after the client's line that it is open."""

    def opened(*arguments, **options):
        connection, client = pair(*arguments, **options)
        assert client.line() == ours.open_line
        return connection, client

    return opened
