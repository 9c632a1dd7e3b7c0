"""Runs the cases against one peer and writes the suite's reports. The verdict is check.py's.

Usage: drive.py server|client REPORTS [--cases PATTERN]... [--messages N] -- COMMAND...
In role `server` the command is a server that prints `listening on http://HOST:PORT/` first and then serves; in role
`client` it is a client that takes an offer of compression and a URL more, echoes messages until the connection
ends, and ends as well.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver
from kosoku._report import write_reports

import suite

START_SECONDS = 10
# The suite bounds most of its waits, not all: a peer that never answers a handshake or a Close would hold it forever.
CASE_SECONDS = 30
LONG_CASE_SECONDS = {9: 180, 12: 600, 13: 600}


def limit(case):
    return LONG_CASE_SECONDS.get(suite.group(case), CASE_SECONDS)


async def results_of(run):
    try:
        return await run
    except FailureError as failure:  # Some case failed: the results are in the error.
        return failure.results


async def test_server(command, reports, cases):
    with open(reports / "stdout.log", "wb") as stdout, open(reports / "stderr.log", "wb") as stderr:
        server = await asyncio.create_subprocess_exec(*command, stdout=stdout, stderr=stderr)
    try:
        url = await address_of(server, reports / "stdout.log")
        results = []
        for case in cases:
            try:
                results += await asyncio.wait_for(results_of(run_fuzzingclient(url, [case])), limit(case))
            except asyncio.TimeoutError:
                raise suite.Fault(f"case {case}: no end within {limit(case)} s") from None
        if server.returncode is not None:
            raise suite.Fault(f"the server ended with {server.returncode} during the run")
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()
    return results


async def address_of(server, stdout):
    """The server's URL, from its first line."""
    deadline = time.monotonic() + START_SECONDS
    while "\n" not in (said := stdout.read_text()):
        if server.returncode is not None:
            raise suite.Fault(f"the server ended with {server.returncode} before it listened")
        if time.monotonic() > deadline:
            raise suite.Fault(f"the server said nothing for {START_SECONDS} s")
        await asyncio.sleep(0.05)
    words = said.splitlines()[0].split(" http://")
    if len(words) != 2 or words[0] != "listening on":
        raise suite.Fault(f"the server's first line is not `listening on http://HOST:PORT/`: {said.splitlines()[0]}")
    return f"ws://{words[1]}"


async def test_client(command, reports, cases):
    async with run_fuzzingserver(cases, host="127.0.0.1", port=0) as suite_server:
        url = f"ws://127.0.0.1:{suite_server.port}"
        for number, case in enumerate(cases, 1):
            try:
                asked = [*command, suite.offer(case), f"{url}/runCase?case={number}&agent=sockless"]
                status = await visit(asked, reports, limit(case))
            except asyncio.TimeoutError:
                raise suite.Fault(f"case {case}: the client did not end within {limit(case)} s") from None
            # 1 is a connection that failed, as many cases want it. A panic is 101, a signal is negative.
            if status not in (0, 1):
                raise suite.Fault(f"case {case}: the client ended with {status}")
        # This ends the run. There is no message in it and no closing handshake, so the status says nothing.
        await visit([*command, f"{url}/updateReports?agent=sockless"], reports, CASE_SECONDS)
        return await asyncio.wait_for(results_of(suite_server.get_result()), CASE_SECONDS)


async def visit(command, reports, seconds):
    """Runs the client once, and gives its exit status."""
    with open(reports / "stdout.log", "ab") as stdout, open(reports / "stderr.log", "ab") as stderr:
        client = await asyncio.create_subprocess_exec(*command, stdout=stdout, stderr=stderr)
    try:
        return await asyncio.wait_for(client.wait(), seconds)
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("reports", type=Path)
    parser.add_argument("--messages", type=int)
    suite.add_options(parser)
    separator = sys.argv.index("--")
    options = parser.parse_args(sys.argv[1:separator])
    command = sys.argv[separator + 1 :]

    suite.correct()
    if options.messages is not None:
        suite.limit_messages(options.messages)
    cases = suite.selected(options)
    test = {"server": test_server, "client": test_client}[options.role]
    started = time.monotonic()
    results = asyncio.run(test(command, options.reports, cases))
    print(f"{options.role}: {len(results)} cases in {time.monotonic() - started:.0f} s", file=sys.stderr)
    if len(results) != len(cases):
        raise suite.Fault(f"{len(cases)} cases were asked for, the suite reports {len(results)}")
    if "panicked at" in (options.reports / "stderr.log").read_text(errors="replace"):
        raise suite.Fault(f"a panic, see {options.reports / 'stderr.log'}")
    write_reports(results, str(options.reports))


if __name__ == "__main__":
    try:
        main()
    except (suite.Fault, OSError, asyncio.TimeoutError) as fault:
        sys.exit(f"{sys.argv[1]}: {fault or type(fault).__name__}")
