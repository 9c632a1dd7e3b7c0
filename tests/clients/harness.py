"""What the Python suites share: checks, the programs under test, and websockets connections to them."""

import asyncio
import json
import os
import random
import re
import reprlib
import signal
import sys
import textwrap
import traceback
from contextlib import asynccontextmanager
from pathlib import Path

import websockets.asyncio.client
import websockets.asyncio.server
import websockets.extensions.permessage_deflate as permessage_deflate
from websockets.exceptions import ConnectionClosed

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
TEXTS = VECTORS["texts"]
VIOLATIONS = VECTORS["violations"]
COMPRESSED = VECTORS["compressed"]
CORRUPT = VECTORS["corrupt"]

# Whether our side is built with compression and asked for it, or built without.
DEFLATE = os.environ["DEFLATE"] == "1"
EXTENSION = "permessage-deflate"

# No check waits for time to pass. A check that is not through by then has failed.
BOUND_S = 60

# The bounds of the library itself are out of the way.
UNBOUNDED = {"open_timeout": BOUND_S, "close_timeout": BOUND_S, "ping_interval": None, "max_size": None}


# Checks


class Suite:
    def __init__(self, name):
        self.name = name
        self.failed = False

    def run(self, body):
        """Runs `body` and ends the process."""
        asyncio.run(self._run(body))
        sys.exit(1 if self.failed else 0)

    async def _run(self, body):
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            await body()
        except Exception:
            self._fail("the suite runs to its end")

    @asynccontextmanager
    async def check(self, title):
        """Runs one check and prints its line."""
        try:
            async with asyncio.timeout(BOUND_S):
                yield
        except Exception:
            self._fail(title)
        else:
            print(f"ok {self.name}: {title}", flush=True)

    def _fail(self, title):
        self.failed = True
        print(f"not ok {self.name}: {title}", flush=True)
        print(textwrap.indent(traceback.format_exc(), "    "), end="", flush=True)


def equal(actual, expected):
    assert actual == expected, f"{reprlib.repr(actual)} instead of {reprlib.repr(expected)}"


# The programs under test


class Program:
    """A running program; stopped at the end of the context."""

    def __init__(self, path, *args):
        self._command = [path, *args]

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 24
        )
        self._stderr = asyncio.create_task(self._process.stderr.read())
        return self

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        self._stderr.cancel()

    def write(self, line):
        self._process.stdin.write(f"{line}\n".encode())

    def end_input(self):
        self._process.stdin.close()

    async def line(self):
        """The next line of standard output."""
        line = await self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the program ended {await self._circumstances()}")
        return line.decode().removesuffix("\n")

    async def ends(self, status):
        """The lines not asked for yet, once the program has ended with this exit status."""
        lines = (await self._process.stdout.read()).decode().splitlines()
        await self._process.wait()
        assert self._process.returncode == status, f"{lines}, and the program ended {await self._circumstances()}"
        return lines

    async def errors(self):
        """The lines of standard error, once the program has ended."""
        return (await self._stderr).decode().splitlines()

    async def outlives(self, awaitable):
        """Fails as soon as the program ends before the awaitable is done."""
        task = asyncio.ensure_future(awaitable)
        end = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait([task, end], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise AssertionError(f"the program ended {await self._circumstances()}")
            return task.result()
        finally:
            task.cancel()
            end.cancel()

    async def _circumstances(self):
        return f"with {await self._process.wait()}: {await self.errors()}"


# No deadline of ours passes before BOUND_S, and no Ping of ours comes among what a check waits for.
PATIENT = ("--timeout", "600")


def with_option(args):
    """The option of this run, unless a check has chosen another."""
    chosen = any(arg.startswith("--deflate") for arg in args)
    return (*PATIENT, *args) if chosen or not DEFLATE else (*PATIENT, "--deflate", *args)


@asynccontextmanager
async def echo_server(*flags):
    """Our echo server on a free port: its address without the scheme."""
    async with Program(os.environ["ECHO_SERVER"], *with_option(flags), "127.0.0.1:0") as server:
        async with asyncio.timeout(BOUND_S):
            line = await server.line()
        match = re.fullmatch(r"listening on http://(127\.0\.0\.1:\d+)/", line)
        assert match, f"first line: {line}"
        # Nothing else is asked of it, but it must not be stopped by a full pipe.
        reader = asyncio.create_task(server.ends(0))
        try:
            yield match[1]
        finally:
            reader.cancel()


def client(*args):
    return Program(os.environ["CLIENT"], *with_option(args))


def open_line(subprotocol=None):
    """What our client prints first."""
    words = ["open"] + [f"subprotocol={subprotocol}"] * bool(subprotocol) + [f"extensions={EXTENSION}"] * DEFLATE
    return " ".join(words)


# Connections


@asynccontextmanager
async def connect(url, **options):
    """Connects websockets, with its default offer of permessage-deflate, to our server."""
    async with websockets.asyncio.client.connect(url, proxy=None, **UNBOUNDED, **options) as ws:
        assert "permessage-deflate" in ws.request.headers["Sec-WebSocket-Extensions"]
        assert_compression(ws, ws.response.headers)
        yield ws


@asynccontextmanager
async def serve(**options):
    """A server of websockets, willing to compress, on a free port: its URL and a queue of what it accepted."""
    connections = asyncio.Queue()

    async def keep(ws):
        connections.put_nowait(ws)
        await ws.wait_closed()

    async with websockets.asyncio.server.serve(keep, "127.0.0.1", 0, **UNBOUNDED, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connections


@asynccontextmanager
async def pair(*args, **options):
    """A server of websockets and our client (started with `args`), connected."""
    async with serve(**options) as (url, connections), client(*args, url) as ours:
        ws = await ours.outlives(connections.get())
        assert_compression(ws, ws.request.headers)
        yield ws, ours


def assert_compression(ws, our_headers):
    """Without the option our server declines compression and our client does not offer it; with it, it is agreed on."""
    ours = our_headers.get("Sec-WebSocket-Extensions")
    equal([extension.name for extension in ws.protocol.extensions], [EXTENSION] * DEFLATE)
    equal(ours and ours.split(";")[0], EXTENSION if DEFLATE else None)


def send_raw(ws, digits):
    """Sends bytes (in hex) past the library."""
    ws.transport.write(bytes.fromhex(digits))


async def closed(ws):
    """What the library reports at the end: code, reason, clean or not."""
    try:
        raise AssertionError(f"a message instead of the end: {await ws.recv()!r}")
    except ConnectionClosed as end:
        return ws.close_code, ws.close_reason, end.rcvd is not None and end.sent is not None


# Compression


class Agreement:
    """A way to agree on compression: our side's option, and what websockets offers, or answers as a server."""

    def __init__(self, name, ours="--deflate", client=None, server=None, takeover=True, from_server=(), from_client=()):
        self.name = name
        self.ours = ours
        # Without an offer or answer of its own the library has its defaults.
        self.client = client and {"extensions": [permessage_deflate.ClientPerMessageDeflateFactory(**client)]} or {}
        self.server = server and {"extensions": [permessage_deflate.ServerPerMessageDeflateFactory(**server)]} or {}
        self.takeover = takeover
        # What the answer then says, if our side is the server, and if it is the client.
        self.from_server, self.from_client = list(from_server), list(from_client)


NEITHER = {"client_no_context_takeover": True, "server_no_context_takeover": True}
SMALL = {"client_max_window_bits": 9, "server_max_window_bits": 9}

AGREEMENTS = [
    # As a server the library asks for windows of 4 KiB by default.
    Agreement("defaults", from_client=["client_max_window_bits=12", "server_max_window_bits=12"]),
    Agreement(
        "no context takeover either way", client=NEITHER, server=NEITHER, takeover=False,
        from_server=list(NEITHER), from_client=list(NEITHER),
    ),
    Agreement(
        "no context takeover on our side", ours="--deflate=no-context-takeover", takeover=False,
        from_server=["server_no_context_takeover"],
        from_client=["client_max_window_bits=12", "client_no_context_takeover", "server_max_window_bits=12"],
    ),
    Agreement(
        "windows of 512 bytes", client=SMALL, server=SMALL,
        from_server=["client_max_window_bits=9", "server_max_window_bits=9"],
        from_client=["client_max_window_bits=9", "server_max_window_bits=9"],
    ),
]  # fmt: skip


async def converse(ws, takeover, answer):
    """Sends messages to our side, which echoes them, and looks at the frames that come back."""
    extension, *parameters = [part.strip() for part in ws.response.headers["Sec-WebSocket-Extensions"].split(";")]
    equal((extension, sorted(parameters)), (EXTENSION, answer))

    frames = []
    [deflate] = ws.protocol.extensions
    decode = deflate.decode

    def look(frame, **options):
        frames.append((frame.rsv1, len(frame.data)))
        return decode(frame, **options)

    deflate.decode = look

    async def echo(message):
        """The size of the compressed echo, or None if it is not compressed."""
        frames.clear()
        await ws.send(message)
        equal(await ws.recv(), message)
        [(compressed, size)] = frames
        return size if compressed else None

    # Too short to gain anything: as they are.
    for message in ["", b"", "short"]:
        equal(await echo(message), None)

    # A repetition of noise is found in the message before, or not at all.
    noise = os.urandom(200)
    first, again = await echo(noise), await echo(noise)
    assert first > 200, first
    assert again < 50 if takeover else again > 200, again

    words = "".join(random.choice(["some ", "words, ", "你好 ", "👋 "]) for _ in range(1 << 18))
    text = words[: 1 << 19]
    size = await echo(text)
    assert size < len(text) / 2, size
    size = await echo(os.urandom(1 << 20))
    assert 1 << 20 < size < (1 << 20) * 1.01, size

    row = [words[: 100 * i] if i % 3 else str(i) for i in range(20)]
    for message in row:
        await ws.send(message)
    for message in row:
        equal(await ws.recv(), message)

    data = TEXTS["emoji"].encode()
    await ws.send([data[:2], data[2:3], b"", data[3:]], text=True)
    equal(await ws.recv(), TEXTS["emoji"])
    await ws.send(["", ""])
    equal(await ws.recv(), "")

    # Sent as it is between compressed ones.
    ws.protocol.extensions.clear()
    await ws.send(words[:1000])
    ws.protocol.extensions.append(deflate)
    equal(await ws.recv(), words[:1000])
    await echo(words[:2000])
