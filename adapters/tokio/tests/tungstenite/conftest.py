"""The fixtures: the programs of both crates, and a third implementation as their peer."""

import os
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from programs import BOUND, Program

# The beginning of the path of each crate's programs.
PROGRAMS = {"ours": os.environ["OURS"] + "/ours-", "original": os.environ["ORIGINALS"] + "/bin/"}
# The programs that listen on an address of the caller. The others have fixed ports.
CHOOSES_ADDRESS = ["echo-server", "server", "server-custom-accept"]
FIXED_PORTS = {"interval-server": 9002, "autobahn-server": 9002, "server-headers": 8080}


def plain(line):
    """Returns a line without what differs in each run: addresses, and the prefix of the log."""
    line = re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", line)
    return re.sub(r"^\[[^]]*\] ", "", line)


class Peer(Program):
    """A program of one of the crates."""

    def __init__(self, crate, name, *arguments):
        self.crate = crate
        program = PROGRAMS[crate] + name
        # All of them log with env_logger. The crates themselves must not log.
        os.environ["RUST_LOG"] = f"{Path(program).name.replace('-', '_')}=debug"
        super().__init__(program, *arguments)

    def plain_line(self):
        return plain(self.line())

    def logs_until(self, last):
        """Waits until the program has logged this line, and returns the log so far."""
        end = time.monotonic() + BOUND
        while last not in (lines := [plain(line) for line in self.errors]):
            if self.process.poll() is not None:
                self._join()
                raise AssertionError(f"the program has ended: {self.errors}")
            assert time.monotonic() < end, f"{last} is missing: {self.errors}"
            time.sleep(0.01)
        return lines


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(port):
    """Whether a program listens on this port. Nobody notices the question."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, address, _, state, *_ = line.split()
        if state == "0A" and int(address.rpartition(":")[2], 16) == port:
            return True
    return False


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start(stack):
    """Starts a program. It ends with the test."""
    return lambda crate, name, *arguments: stack.enter_context(Peer(crate, name, *arguments))


@pytest.fixture
def serve(start):
    """Starts a server and waits until it listens. Returns the program and its URL."""

    def serve(crate, name):
        port = FIXED_PORTS.get(name)
        if not port:
            port = free_port()
        assert not listens(port), f"{name} needs port {port}, and another program listens on it"
        address = f"127.0.0.1:{port}"
        server = start(crate, name, *[address] * (name in CHOOSES_ADDRESS))
        end = time.monotonic() + BOUND
        while not listens(port):
            assert server.process.poll() is None, f"{name} has ended: {server.errors}"
            assert time.monotonic() < end, f"{name} does not listen on port {port}"
            time.sleep(0.01)
        return server, f"ws://{address}"

    return serve


@pytest.fixture(params=["ours", "original"])
def server_crate(request):
    return request.param


@pytest.fixture(params=["ours", "original"])
def client_crate(request):
    return request.param
