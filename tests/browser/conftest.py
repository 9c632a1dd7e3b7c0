"""The fixtures: servers of the examples, and pages in Debian's Chromium."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from programs import BOUND, Program

TARGET = Path(os.environ["TARGET"])

expect.set_options(timeout=1000 * BOUND)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
    return browser_type_launch_args | {"executable_path": shutil.which("chromium"), "args": switches}


@pytest.fixture
def browser_context_args(browser_context_args):
    return browser_context_args | {"viewport": {"width": 1280, "height": 800}, "ignore_https_errors": True}


@contextmanager
def serving(program, *arguments, address="127.0.0.1:0"):
    """Starts a server. It must still run at the end of the block, unless the block stops it."""
    with Program(TARGET / program, address, *arguments) as server:
        server.origin = server.url()
        server.address = urlsplit(server.origin).netloc
        yield server
        assert server.stopped or server.process.poll() is None


@pytest.fixture
def complaints():
    """The errors and warnings in the consoles of all pages. A test must remove those that it expects."""
    complaints = []
    yield complaints
    assert complaints == []


@pytest.fixture
def visit(new_context, complaints):
    """Opens a page in a new context. `route` gets its WebSockets."""

    def visit(url, *, init_script="", route=None):
        page = new_context().new_page()
        page.set_default_timeout(1000 * BOUND)
        page.on("console", lambda message: message.type in ("error", "warning") and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url))
        page.add_init_script(init_script)
        if route:
            page.route_web_socket("**", route)
        page.goto(url)
        return page

    return visit
