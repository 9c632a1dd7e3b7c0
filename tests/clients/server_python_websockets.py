"""Python's websockets as a client of our echo server."""

import http.client
from contextlib import AsyncExitStack

from harness import AGREEMENTS, BOUND_S, COMPRESSED, CORRUPT, DEFLATE, TEXTS, VIOLATIONS, Suite, closed, connect
from harness import converse, echo_server, equal, send_raw
from websockets.exceptions import InvalidStatus

suite = Suite("server python-websockets")
check = suite.check


async def echoes(ws, message):
    await ws.send(message)
    equal(await ws.recv(), message)


def request(address, path, headers=None):
    connection = http.client.HTTPConnection(address, timeout=BOUND_S)
    try:
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse()
    finally:
        connection.close()


async def messages(url):
    for name, text in TEXTS.items():
        async with check(f"echoes {name} text"), connect(url) as ws:
            await echoes(ws, text)

    async with check("echoes binary"), connect(url) as ws:
        await echoes(ws, bytes(range(256)))

    async with check("echoes empty messages"), connect(url) as ws:
        await echoes(ws, "")
        await echoes(ws, b"")

    async with check("echoes text of 1 MiB"), connect(url) as ws:
        await echoes(ws, "x" * (1 << 20))

    async with check("echoes binary of 1 MiB"), connect(url) as ws:
        await echoes(ws, b"sockless" * (1 << 17))

    async with check("joins fragmented text, cut inside a character"), connect(url) as ws:
        data = TEXTS["Chinese"].encode()
        await ws.send([data[:4], data[4:5], data[5:]], text=True)
        equal(await ws.recv(), TEXTS["Chinese"])

    async with check("joins fragmented binary, with a ping in between"), connect(url) as ws:

        async def fragments():
            yield b"\1\2"
            await (await ws.ping("between"))
            yield b"\3"

        await ws.send(fragments())
        equal(await ws.recv(), b"\1\2\3")

    # The library takes only a pong with the payload of its ping.
    async with check("answers a ping with its payload"), connect(url) as ws:
        for payload in ["payload", "", "x" * 125]:
            await (await ws.ping(payload))

    async with check("keeps 20 connections apart"), AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connect(url)) for _ in range(20)]
        for i, ws in reversed(list(enumerate(connections))):
            await ws.send(f"message {i}")
        for i, ws in enumerate(connections):
            equal(await ws.recv(), f"message {i}")


async def close(url):
    # The answer repeats the code, not the reason.
    for code, reason in [(1000, ""), (1000, "done"), (3001, "原因 reason")]:
        async with check(f'answers Close {code} "{reason}"'), connect(url) as ws:
            await ws.close(code, reason)
            equal(await closed(ws), (code, "", True))

    async with check("answers an empty Close"), connect(url) as ws:
        await ws.close(None)
        equal(await closed(ws), (1005, "", True))

    for code in [1000, 4001]:
        async with check(f'closes with {code} "bye"'), connect(f"{url}close/{code}/bye") as ws:
            equal(await closed(ws), (code, "bye", True))

    async with check("goes on serving when a peer drops its connection"):
        async with connect(url) as ws:
            ws.transport.abort()
            await ws.wait_closed()
        async with connect(url) as ws:
            await echoes(ws, "still here")


async def opening_handshake(address, url):
    async with check("greets unless it is told to be quiet"), echo_server() as greeter:
        async with connect(f"ws://{greeter}/") as ws:
            assert isinstance(await ws.recv(), str)
            await echoes(ws, "after the greeting")

    async with check("serves its page, and 404 elsewhere"):
        equal(request(address, "/").status, 200)
        equal(request(address, "/elsewhere").status, 404)

    async with check("agrees on a subprotocol that it knows"):
        for offer, agreed in [(["echo"], "echo"), (["unknown", "chat"], "chat"), (None, None)]:
            async with connect(url, subprotocols=offer) as ws:
                equal(ws.subprotocol, agreed)

    async with check("agrees on no subprotocol that it does not know"):
        async with connect(url, subprotocols=["unknown"]) as ws:
            assert ws.subprotocol is None
            assert "Sec-WebSocket-Protocol" not in ws.response.headers
            await echoes(ws, "hello")

    async with check("takes a request with other headers"):
        headers = {"Origin": "http://example.com", "Cookie": "a=b; c=d", "X-Long": "x" * 4000}
        async with connect(f"{url}any/path?and=query", additional_headers=headers) as ws:
            await echoes(ws, "hello")

    async with check("refuses with 403"):
        try:
            async with connect(f"{url}refuse"):
                raise AssertionError("not refused")
        except InvalidStatus as refusal:
            equal(refusal.response.status_code, 403)

    # The library speaks no other version.
    async with check("refuses version 12 with 426 and names version 13"):
        handshake = {"Upgrade": "websocket", "Connection": "Upgrade"}
        handshake |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "12"}
        response = request(address, "/", handshake)
        equal((response.status, response.getheader("Sec-WebSocket-Version")), (426, "13"))


# `connect` asserts for every connection whether compression was agreed on.
async def compression(url):
    if not DEFLATE:
        async with check("declines compression, and refuses a compressed message"), connect(url) as ws:
            send_raw(ws, COMPRESSED["to_server"])
            code, _, _ = await closed(ws)
            equal(code, 1002)
        return

    for agreement in AGREEMENTS:
        async with check(f"echoes what is compressed: {agreement.name}"), echo_server("--quiet", agreement.ours) as own:
            async with connect(f"ws://{own}/", **agreement.client) as ws:
                await converse(ws, agreement.takeover, agreement.from_server)
                await ws.close(1000)
                equal(await closed(ws), (1000, "", True))

    async with check("fails with 1007 on data that is not DEFLATE"), connect(url) as ws:
        send_raw(ws, CORRUPT["to_server"])
        code, _, _ = await closed(ws)
        equal(code, 1007)


async def violations(url):
    # Whether the library could still answer our Close is a matter of timing.
    for violation in VIOLATIONS:
        async with check(f"fails with {violation['code']} on {violation['name']}"), connect(url) as ws:
            await echoes(ws, "before")
            send_raw(ws, violation["to_server"])
            code, _, _ = await closed(ws)
            equal(code, violation["code"])


async def main():
    async with echo_server("--quiet") as address:
        url = f"ws://{address}/"
        await messages(url)
        await close(url)
        await opening_handshake(address, url)
        await compression(url)
        await violations(url)


suite.run(main)
