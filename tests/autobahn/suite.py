"""Runs the cases against one peer, judges the results and writes the suite's reports."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver
from kosoku._report import write_reports

import cases
import judge
from cases import Fault
from programs import Program

# The suite does not limit every wait. Without these limits, a silent peer would stop the run.
CASE_SECONDS = 30
LONG_CASE_SECONDS = {9: 180, 12: 600, 13: 600}


def limit(case):
    return LONG_CASE_SECONDS.get(cases.group(case), CASE_SECONDS)


async def results_of(run):
    try:
        return await run
    except FailureError as failure:
        # The error has the results of cases that failed.
        return failure.results


async def test_server(command, selected):
    results = []
    with Program(*command) as server:
        url = server.url().replace("http", "ws", 1)
        for case in selected:
            try:
                results += await asyncio.wait_for(results_of(run_fuzzingclient(url, [case])), limit(case))
            except TimeoutError:
                raise Fault(f"case {case} did not end within {limit(case)} s") from None
        if server.process.poll() is not None:
            raise Fault(f"the server ended during the run: {server.errors}")
    fail_after_panic("\n".join(server.errors))
    return results


async def test_client(command, selected):
    async with run_fuzzingserver(selected, host="127.0.0.1", port=0) as suite_server:
        url = f"ws://127.0.0.1:{suite_server.port}"
        for number, case in enumerate(selected, 1):
            visit = *command, cases.offer(case), f"{url}/runCase?case={number}&agent=sockless"
            status = await run_client(visit, limit(case))
            # Many cases fail the connection, which is 1. A panic is 101, and a signal is negative.
            if status not in (0, 1):
                raise Fault(f"case {case}: the client ended with {status}")
        # This ends the run. The server sends no Close frame, so the status is without meaning.
        await run_client((*command, f"{url}/updateReports?agent=sockless"), CASE_SECONDS)
        return await asyncio.wait_for(results_of(suite_server.get_result()), CASE_SECONDS)


async def run_client(command, seconds):
    """Returns the exit status of the client."""
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    client = await asyncio.create_subprocess_exec(*command, stdin=null, stdout=null, stderr=pipe)
    try:
        _, errors = await asyncio.wait_for(client.communicate(), seconds)
    except TimeoutError:
        client.kill()
        await client.wait()
        raise Fault(f"the client did not end within {seconds} s: {' '.join(command)}") from None
    fail_after_panic(errors.decode(errors="replace"))
    return client.returncode


def fail_after_panic(errors):
    if "panicked at" in errors:
        raise Fault(f"a panic: {errors}")


def main():
    parser = argparse.ArgumentParser(
        prog="tests/autobahn/run",
        usage="%(prog)s [--server NAME | --role ROLE] [--all | --messages N] [--cases PATTERN]...",
        epilog="Before the other options: --server NAME tests this server of tests/loops/servers.sh, and --role ROLE "
        "tests only our server or only our client.",
    )
    parser.add_argument("role", choices=["server", "client"], help=argparse.SUPPRESS)
    parser.add_argument("reports", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="+", help=argparse.SUPPRESS)
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--messages", type=int, default=10, metavar="N", help="messages in a case of groups 12 and 13")
    count.add_argument("--all", dest="messages", action="store_const", const=0, help="all 1,000 messages of the suite")
    parser.add_argument(
        "--cases", action="append", default=[], metavar="PATTERN",
        help="only the cases that match, for example '1.*' or 6.4.1; may be repeated",
    )  # fmt: skip
    options = parser.parse_args()

    cases.correct(options.messages)
    selected = cases.selected(options.cases or ["*"])
    test = {"server": test_server, "client": test_client}[options.role]
    started = time.monotonic()
    results = asyncio.run(test(options.command, selected))
    seconds = time.monotonic() - started
    write_reports(results, str(options.reports))
    wrong = judge.judge(options.role, results, selected)
    print(f"{options.role}: {seconds:.0f} s")
    for case, why in wrong[:10]:
        print(f"{options.role}: case {case}: {why}")
    if wrong:
        sys.exit(f"{options.role}: {len(wrong)} cases failed, see {options.reports}/index.html")


if __name__ == "__main__":
    try:
        main()
    except (Fault, OSError, TimeoutError) as fault:
        sys.exit(f"tests/autobahn: {sys.argv[1]}: {str(fault) or type(fault).__name__}")
