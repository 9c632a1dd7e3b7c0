"""Python's websockets as a server of our client."""

import asyncio
import re
from contextlib import asynccontextmanager

from harness import AGREEMENTS, COMPRESSED, CORRUPT, DEFLATE, TEXTS, VIOLATIONS, Suite, client, closed, converse
from harness import equal, open_line, pair, send_raw, serve

suite = Suite("client python-websockets")
check = suite.check


@asynccontextmanager
async def opened(*args, **options):
    """A pair whose client has said that it is open."""
    async with pair(*args, **options) as (ws, ours):
        equal(await ours.line(), open_line())
        yield ws, ours


async def sends(ws, ours, text):
    ours.write(text)
    equal(await ws.recv(), text)


async def shows(ws, ours, text):
    await ws.send(text)
    equal(await ours.line(), f"text: {text}")


async def messages():
    for name, text in TEXTS.items():
        async with check(f"sends and shows {name} text"), opened() as (ws, ours):
            await sends(ws, ours, text)
            await shows(ws, ours, text)

    async with check("sends and shows text of 1 MiB"), opened() as (ws, ours):
        await sends(ws, ours, "x" * (1 << 20))
        await shows(ws, ours, "x" * (1 << 20))

    async with check("shows binary"), opened() as (ws, ours):
        await ws.send(bytes(70_000))
        equal(await ours.line(), "binary: 70000 bytes")

    async with check("shows fragmented text, cut inside a character"), opened() as (ws, ours):
        data = TEXTS["emoji"].encode()
        await ws.send([data[:2], data[2:3], data[3:]], text=True)
        equal(await ours.line(), f"text: {TEXTS['emoji']}")

    async with check("shows fragmented binary, with a ping in between"), opened() as (ws, ours):

        async def fragments():
            yield b"\1\2"
            await (await ws.ping("between"))
            yield b"\3"

        await ws.send(fragments())
        equal(await ours.line(), "ping: between")
        equal(await ours.line(), "binary: 3 bytes")

    async with check("echoes text, binary, fragments and 1 MiB, and ends with the connection"):
        async with pair("--echo") as (ws, ours):
            for message in [TEXTS["Chinese"], b"\x00\xff", "", b"sockless" * (1 << 17)]:
                await ws.send(message)
                equal(await ws.recv(), message)
            await ws.send(["one, ", "two, ", "three"])
            equal(await ws.recv(), "one, two, three")
            await ws.close(1000)
            equal((await ours.ends(0))[-1], 'closed 1000 "" clean')

    # The library answers by itself.
    async with check("sends a ping and shows the pong"), opened() as (ws, ours):
        ours.write("/ping payload")
        equal(await ours.line(), "pong: payload")

    # The library takes only a pong with the payload of its ping.
    async with check("shows a ping and answers it"), opened() as (ws, ours):
        await (await ws.ping("payload"))
        equal(await ours.line(), "ping: payload")


async def close():
    # The answer repeats the code, not the reason.
    for code, reason in [(1000, "done"), (3001, "原因 reason")]:
        async with check(f'answers Close {code} "{reason}"'), opened() as (ws, ours):
            await ws.close(code, reason)
            equal(await closed(ws), (code, "", True))
            equal(await ours.ends(int(code != 1000)), [f'closed {code} "{reason}" clean'])

    async with check("answers an empty Close"), opened() as (ws, ours):
        await ws.close(None)
        equal(await closed(ws), (1005, "", True))
        equal(await ours.ends(1), ['closed 1005 "" clean'])

    for code in [1000, 4001]:
        async with check(f'closes with {code} "bye"'), opened() as (ws, ours):
            ours.write(f"/close {code} bye")
            equal(await closed(ws), (code, "bye", True))
            equal(await ours.ends(int(code != 1000)), [f'closed {code} "bye" clean'])

    async with check("closes with 1000 at the end of its input"), opened() as (ws, ours):
        await sends(ws, ours, "last words")
        ours.end_input()
        code, reason, clean = await closed(ws)
        equal((code, clean), (1000, True))
        equal(await ours.ends(0), [f'closed 1000 "{reason}" clean'])

    async with check("tells a connection that was dropped"), opened() as (ws, ours):
        ws.transport.write_eof()
        equal(await ours.ends(1), ['closed 1006 "" not clean'])


async def opening_handshake():
    async with check("agrees on a subprotocol"):
        async with pair("--protocol", "unknown,chat", subprotocols=["echo", "chat"]) as (ws, ours):
            equal(ws.subprotocol, "chat")
            equal(await ours.line(), open_line("chat"))

    async with check("goes on when no subprotocol was agreed"):
        async with opened("--protocol", "unknown,chat") as (ws, ours):
            await sends(ws, ours, "hello")

    async with check("refuses a wrong accept key"):
        forged = asyncio.Event()

        def forge(ws, request, response):
            forged.set()
            del response.headers["Sec-WebSocket-Accept"]
            response.headers["Sec-WebSocket-Accept"] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

        async with serve(process_response=forge) as (url, _), client(url) as ours:
            await ours.outlives(forged.wait())
            equal(await ours.ends(1), [])

    async with check("sends a header of the caller"), opened("--header", "X-Custom: some value") as (ws, _):
        equal(ws.request.headers["X-Custom"], "some value")

    for status in [401, 404]:
        async with check(f"tells that it was refused with {status}"):

            def refuse(ws, request):
                return ws.respond(status, "not you\n")

            async with serve(process_request=refuse) as (url, _), client(url) as ours:
                equal(await ours.ends(1), [])
                [line] = await ours.errors()
                assert line.startswith(f"refused {status}: "), line


# `pair` asserts for every connection whether compression was agreed on.
async def compression():
    if not DEFLATE:
        async with check("offers no compression, and refuses a compressed message"), opened() as (ws, ours):
            send_raw(ws, COMPRESSED["to_client"])
            code, _, _ = await closed(ws)
            equal(code, 1002)
            await ours.ends(1)
        return

    for agreement in AGREEMENTS:
        async with check(f"echoes what is compressed: {agreement.name}"):
            async with opened(agreement.ours, "--echo", **agreement.server) as (ws, ours):
                await converse(ws, agreement.takeover, agreement.from_client)
                await ws.close(1000)
                equal((await ours.ends(0))[-1], 'closed 1000 "" clean')

    async with check("goes on when the server declines compression"):
        async with serve(compression=None) as (url, connections), client(url) as ours:
            ws = await ours.outlives(connections.get())
            equal(await ours.line(), "open")
            await sends(ws, ours, "x" * 1000)

    async with check("fails with 1007 on data that is not DEFLATE"), opened() as (ws, ours):
        send_raw(ws, CORRUPT["to_client"])
        code, _, _ = await closed(ws)
        equal(code, 1007)
        await ours.ends(1)


async def violations():
    for violation in VIOLATIONS:
        async with check(f"fails with {violation['code']} on {violation['name']}"), opened() as (ws, ours):
            await shows(ws, ours, "before")
            send_raw(ws, violation["to_client"])
            code, _, _ = await closed(ws)
            equal(code, violation["code"])
            [line] = await ours.ends(1)
            assert re.fullmatch(r'closed \d+ ".*" not clean', line), line


async def main():
    await messages()
    await close()
    await opening_handshake()
    await compression()
    await violations()


suite.run(main)
