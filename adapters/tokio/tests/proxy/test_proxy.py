"""The examples `reconnect` and `proxy` through Squid and microsocks.

The server is one of websockets, with TLS and compression.
"""

import os
import queue
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets.sync.server

from programs import BOUND, Program

EXAMPLES = Path(os.environ["EXAMPLES"])
CERTIFICATES = Path(os.environ["CERTIFICATES"])

# The client trusts the authority of the server's certificate, and takes no proxy from our environment.
os.environ["SSL_CERT_FILE"] = str(CERTIFICATES / "ca.pem")
for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]:
    os.environ.pop(name, None)
    os.environ.pop(name.lower(), None)


def wait_until(condition, what):
    end = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Listening:
    """A proxy that runs. `url` has the user and the password, if it demands them."""

    def __init__(self, process, scheme, port):
        self.process, self.scheme, self.port = process, scheme, port

    def url(self, credentials="user:p%40ss@"):
        return f"{self.scheme}://{credentials}127.0.0.1:{self.port}"


@contextmanager
def listening(scheme, command):
    """Starts a proxy at a free port. `command` returns the command for a port."""
    for _ in range(10):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def accepts():
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                return process.poll() is not None
            return True

        wait_until(accepts, "the proxy listens")
        if process.poll() is not None:
            # Another program has taken the port.
            continue
        try:
            yield Listening(process, scheme, port)
        finally:
            # Squid ends its helpers first.
            process.terminate()
            process.wait(BOUND)
        return
    raise AssertionError(f"the proxy does not start: {command(port)}")


@pytest.fixture(scope="session")
def folder():
    """A folder that Squid can use after it has given up the rights of root."""
    with tempfile.TemporaryDirectory(prefix="sockless-proxy-") as folder:
        folder = Path(folder)
        if os.geteuid() == 0:
            shutil.chown(folder, "proxy")
        yield folder


@pytest.fixture(scope="session")
def squid(folder):
    """Squid demands Basic authentication, and allows CONNECT to all ports but 9."""
    password = subprocess.run(
        ["openssl", "passwd", "-apr1", "p@ss"], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    (folder / "passwords").write_text(f"user:{password}")
    helper = next(Path("/usr").glob("lib*/squid/basic_ncsa_auth"))

    def command(port):
        (folder / "squid.conf").write_text(f"""
http_port 127.0.0.1:{port}
auth_param basic program {helper} {folder}/passwords
acl authenticated proxy_auth REQUIRED
acl discard port 9
http_access deny discard
http_access allow CONNECT authenticated
http_access deny all
cache deny all
access_log stdio:{folder}/access.log
logfile_rotate 0
buffered_logs off
cache_log {folder}/cache.log
pid_filename none
shutdown_lifetime 0 seconds
""")
        return ["squid", "-N", "-f", str(folder / "squid.conf")]

    with listening("http", command) as proxy:
        proxy.log = lambda: (folder / "access.log").read_text().splitlines()
        yield proxy


@pytest.fixture(scope="session", params=["socks5", "socks5h"])
def microsocks(request):
    command = ["microsocks", "-i", "127.0.0.1", "-u", "user", "-P", "p@ss", "-p"]
    with listening(request.param, lambda port: [*command, str(port)]) as proxy:
        yield proxy


class Server:
    """A server with TLS and compression. It can stop, and start again at the same port."""

    def __init__(self):
        self.connections = queue.Queue()
        self.port = 0
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(CERTIFICATES / "cert.pem", CERTIFICATES / "key.pem")
        self.start()

    def start(self):
        options = {"ping_interval": None, "open_timeout": BOUND, "close_timeout": BOUND}
        self.server = websockets.sync.server.serve(self.handle, "127.0.0.1", self.port, ssl=self.tls, **options)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def handle(self, connection):
        # The first message is the greeting of the client.
        connection.greeting = connection.recv(BOUND)
        self.connections.put(connection)
        connection.wait_closed()

    def accept(self):
        connection = self.connections.get(timeout=BOUND)
        assert connection.greeting == "Hello"
        return connection

    def stop(self):
        self.server.shutdown()
        self.thread.join()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


def is_compressed(connection):
    """Whether both sides have agreed on permessage-deflate."""
    return [extension.name for extension in connection.protocol.extensions] == ["permessage-deflate"]


@contextmanager
def reconnect(monkeypatch, proxy, url):
    """Runs the example `reconnect` with the proxy of the environment."""
    with monkeypatch.context() as environment:
        environment.setenv("HTTPS_PROXY", proxy)
        with Program(EXAMPLES / "reconnect", url) as client:
            yield client


def loses_and_finds(client, server):
    """Checks a connection and its successors: after a Close frame, after the end of TCP, and after a pause."""
    text = "compressed " * 1000
    for ending in ["close", "abort", "pause"]:
        assert client.line() == "connected"
        connection = server.accept()
        assert is_compressed(connection)
        connection.send(text)
        assert client.line() == text
        if ending == "close":
            connection.close(1012, "restart")
            assert client.line().startswith("closed: ")
        elif ending == "abort":
            connection.socket.shutdown(socket.SHUT_RDWR)
            assert client.line().startswith("lost: ")
        else:
            # The server ends with a Close frame to each client, and its port refuses connections for a time.
            server.stop()
            assert client.line().startswith("closed: ")
            assert client.line().startswith("not connected: ")
            server.start()
            while (line := client.line()) != "connected":
                assert line.startswith("not connected: ")
            assert is_compressed(server.accept())


# The server is named and has an address.
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_reconnects_through_squid(monkeypatch, squid, server, host):
    before = len(squid.log())
    with reconnect(monkeypatch, squid.url(), f"wss://{host}:{server.port}/") as client:
        loses_and_finds(client, server)
    target = f"CONNECT {host}:{server.port} user "
    # Squid logs a tunnel when it has ended.
    wait_until(
        lambda: sum(target in line and "/200 " in line for line in squid.log()[before:]) == 4,
        "four tunnels for the user",
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_reconnects_through_socks5(monkeypatch, microsocks, server, host):
    with reconnect(monkeypatch, microsocks.url(), f"wss://{host}:{server.port}/") as client:
        loses_and_finds(client, server)


def proxied(proxy, url):
    return Program(EXAMPLES / "proxy", proxy, url)


def test_one_message_through_each_proxy(squid, microsocks, server):
    for proxy in [squid, microsocks]:
        with proxied(proxy.url(), f"wss://localhost:{server.port}/") as client:
            connection = server.accept()
            connection.send("from the server")
            assert client.line() == f"connected through 127.0.0.1:{proxy.port}"
            assert client.ends(0) == ["from the server"]
            assert not is_compressed(connection)


@pytest.mark.parametrize("credentials", ["", "user:wrong@", "nobody:p%40ss@"])
def test_a_proxy_that_refuses_the_user(squid, microsocks, server, credentials):
    for proxy, reason in [(squid, "407 Proxy Authentication Required"), (microsocks, "")]:
        with proxied(proxy.url(credentials), f"wss://localhost:{server.port}/") as client:
            assert client.ends(1) == []
        [error] = client.errors
        assert "Proxy" in error and reason.split(" ")[0] in error
        assert "p@ss" not in error and "p%40ss" not in error and "wrong" not in error
    assert server.connections.empty()


def test_a_proxy_that_forbids_the_server(squid):
    with proxied(squid.url(), "wss://localhost:9/") as client:
        assert client.ends(1) == []
    assert "403" in client.errors[0]


def test_a_server_that_does_not_listen(squid, microsocks):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for proxy in [squid, microsocks]:
        with proxied(proxy.url(), f"wss://localhost:{port}/") as client:
            assert client.ends(1) == []
        assert "Proxy" in client.errors[0]


def test_a_certificate_that_is_not_trusted(monkeypatch, squid, server):
    """The proxy does not weaken TLS."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "cert.pem"))
    with proxied(squid.url(), f"wss://localhost:{server.port}/") as client:
        assert client.ends(1) == []
    assert "Tls" in client.errors[0]
    assert server.connections.empty()
