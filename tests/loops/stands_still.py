#!/usr/bin/env python3
"""Sees what an echo server does when it is late or cannot go on: it loses nothing, and does not spin.

Usage: stands_still.py COMMAND...   starts COMMAND, which listens at 127.0.0.1:0, once with --timeout SECONDS

The first server is stopped until its deadlines have passed. Meanwhile clients send what it waits for: requests, and Pongs.
Each client that the server had not given up before must be served. The second server gets peers that end the stream and
do not read; it must sleep. Nothing depends on how fast the machine is.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time

CLIENTS = 200  # more than the server on io_uring has buffers
PATIENCE = 60
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LARGE = 12 << 20  # more than all buffers on the way hold
PING = 0x89


def frame(opcode, payload):
    """A frame of a client, masked with zeros."""
    assert len(payload) < 126
    return bytes([opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def large():
    return bytes([0x82, 0xFF]) + LARGE.to_bytes(8, "big") + bytes(4) + bytes(LARGE)


class Server:
    def __init__(self, *arguments):
        command = [*sys.argv[1:], *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def __enter__(self):
        line = self.process.stdout.readline().decode()
        prefix = "listening on http://127.0.0.1:"
        assert line.startswith(prefix), f"the first line is {line!r}"
        self.port = int(line[len(prefix) :].strip("/\n"))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def connect(self, first=b""):
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(PATIENCE)
        client.sendall(first)
        return client

    def open(self):
        client = self.connect(REQUEST)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += exactly(client, 1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return client

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        while self.state() != "T":
            time.sleep(0.01)

    def state(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]

    def rests(self):
        """Whether it sleeps, sooner or later, each time that one looks."""
        end, times = time.monotonic() + PATIENCE, 0
        while times < 50 and time.monotonic() < end:
            times = times + 1 if self.state() == "S" else 0
            time.sleep(0.01)
        return times == 50


def exactly(client, length):
    received = b""
    while len(received) < length:
        piece = client.recv(min(length - len(received), 1 << 20))
        assert piece, f"the end after {received[:100]!r}"
        received += piece
    return received


def to_the_end(client):
    received = bytearray()
    while piece := client.recv(1 << 20):
        received += piece
    return bytes(received)


def is_silent(client):
    return not select.select([client], [], [], 0)[0]


def late(seconds):
    with Server("--timeout", str(seconds)) as server:
        clients = [server.open() for _ in range(CLIENTS)]
        pings = []
        for client in clients:
            head = exactly(client, 2)
            assert head[0] == PING, head
            pings.append(exactly(client, head[1]))
        without_request = [server.connect() for _ in range(CLIENTS)]
        # One that has been accepted, so that all are.
        server.open().close()
        server.stop()
        # On a slow machine some may have been given up.
        alive = [it for it in zip(clients, pings) if is_silent(it[0])]
        waiting = [it for it in without_request if is_silent(it)]
        if not alive or not waiting:
            return False
        for client, ping in alive:
            # Reading all that takes more than one read, and only the end of it is what the server waits for.
            client.sendall(frame(0x8A, bytes(125)) * 340 + frame(0x8A, ping) + frame(0x82, b"late"))
        for client in waiting:
            client.sendall(REQUEST)
        time.sleep(seconds + 1)
        server.process.send_signal(signal.SIGCONT)
        lost = sum(not served(client) for client, _ in alive)
        refused = sum(not client.recv(13) == b"HTTP/1.1 101 " for client in waiting)
        assert lost == 0, f"{lost} of {len(alive)} clients were given up that had answered"
        assert refused == 0, f"{refused} of {len(waiting)} clients were refused that had asked"
        print(f"was late for {len(alive)} Pongs and {len(waiting)} requests, and took all")
        return True


def served(client):
    """Whether the message comes back, perhaps after further Pings."""
    try:
        while True:
            head = exactly(client, 2)
            payload = exactly(client, head[1])
            if head[0] == 0x82:
                return payload == b"late"
    except (AssertionError, ConnectionError):
        return False


def ends():
    with Server() as server:
        half = server.connect(REQUEST[:40])
        half.shutdown(socket.SHUT_WR)
        assert to_the_end(half) == b"", "half a request has an answer"

        whole = server.connect(REQUEST + frame(0x82, b"first"))
        whole.shutdown(socket.SHUT_WR)
        answer = to_the_end(whole)
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        assert answer.endswith(b"\r\n\r\n\x82\x05first"), "the answer to a message is lost"

        # One does not end the stream and sends more. No answer is read.
        stuck = [server.open() for _ in range(2)]
        for client in stuck:
            client.setblocking(False)
        rest = {client: memoryview(large() * 2) for client in stuck}
        while rest:
            writable = select.select([], list(rest), [], 1)[1]
            if not writable:
                break
            for client in writable:
                rest[client] = rest[client][client.send(rest[client][: 1 << 20]) :]
                if not rest[client]:
                    del rest[client]
        stuck[0].shutdown(socket.SHUT_WR)
        assert server.rests(), "it spins while it can neither read nor write"
        # Others are served meanwhile.
        other = server.open()
        other.sendall(frame(0x82, b"late"))
        assert served(other), "nobody else is served"
        print("sleeps while peers do not read, and answers a peer that has ended the stream")

        ended = server.open()
        data = large()
        # It is read by the server before the end of the stream, and answered, whenever the client reads.
        sender = os.fork()
        if sender == 0:
            ended.sendall(data)
            ended.shutdown(socket.SHUT_WR)
            os._exit(0)
        # The header has no key, but a server may send fragments.
        answer = to_the_end(ended)
        os.waitpid(sender, 0)
        assert len(answer) >= len(data) - 4, f"the end after {len(answer)} bytes"
        print("sends the rest of a large answer after the end of the stream")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        for seconds in (1, 2, 4, 8):
            if late(seconds):
                break
        else:
            sys.exit("every client was given up before the server was stopped")
        ends()
    except (AssertionError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


main()
