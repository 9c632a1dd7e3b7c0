"""Counts how often all tests together take each branch of src/.

It prints a line for each file that reads what a peer sends. It fails if the tests never take one way of a branch in these
files, unless `unreached.txt` explains it. It also fails if `unreached.txt` explains a branch that tests do take.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SRC = ROOT / "src"
TARGET = ROOT / "target" / "coverage"
PROFILES = TARGET / "profiles"
# Not every toolchain has these tools, so they come from PyPI.
TOOLS = Path(sysconfig.get_path("purelib"), "llvm", "bin")

# The files that the bytes of a peer pass through.
RECEIVING = (
    "wire/", "connection/closing.rs", "connection/connection.rs", "connection/pongs.rs",
    "connection/read_buffer/", "connection/receiver/", "connection/std_io.rs",
    "deflate/inflater.rs", "handshake/",
)  # fmt: skip

ENVIRONMENT = os.environ | {
    # The tools are built without zlib, so names must stay uncompressed.
    "RUSTFLAGS": "-Cinstrument-coverage -Zcoverage-options=branch -Cllvm-args=-enable-name-compression=false",
    "CARGO_TARGET_DIR": str(TARGET),
    "LLVM_PROFILE_FILE": str(PROFILES / "%p-%m.profraw"),
}


def run(*command):
    """Returns the output. Ends this program if the command fails."""
    done = subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nfailed with {done.returncode}: {' '.join(map(str, command[:3]))} ...")
    return done.stdout


def export():
    """Builds and runs all tests. Returns what `llvm-cov export` prints."""
    build = run("cargo", "test", "--all-features", "--lib", "--tests", "--no-run", "--message-format=json")
    messages = [json.loads(line) for line in build.splitlines()]
    programs = [message["executable"] for message in messages if message.get("executable") and message["profile"]["test"]]
    # The compiler and build scripts have profiles, too.
    shutil.rmtree(PROFILES, ignore_errors=True)
    for program in programs:
        run(program, "--quiet")
    profile = TARGET / "profile"
    run(TOOLS / "llvm-profdata", "merge", "-sparse", *PROFILES.iterdir(), "-o", profile)
    objects = [argument for program in programs for argument in ("--object", program)]
    return json.loads(run(TOOLS / "llvm-cov", "export", *objects, "--instr-profile", profile, "--sources", SRC))


def branches(export):
    """How often each branch was true and false, by file and place, in all copies of the code."""
    found = defaultdict(lambda: defaultdict(Counter))
    for function in export["data"][0]["functions"]:
        for *place, true, false, file, _, _ in function["branches"]:
            path = Path(function["filenames"][file])
            if path.is_relative_to(SRC):
                counts = found[path.relative_to(SRC).as_posix()][tuple(place)]
                counts["never true"] += true
                counts["never false"] += false
    return found


def condition(lines, place):
    line, column, end, end_column = place
    if line == end:
        return lines[line - 1][column - 1 : end_column - 1]
    return lines[line - 1][column - 1 :].strip() + " ..."


def first_test(lines):
    """The line on which the unit tests of a file begin."""
    for number, line in enumerate(lines, 1):
        if line == "#[cfg(test)]" and lines[number].startswith("mod "):
            return number
    return len(lines) + 1


def explained():
    """The lines of `unreached.txt`, without the explanations."""
    lines = (HERE / "unreached.txt").read_text().splitlines()
    return {tuple(line.split(" | ")[:3]) for line in lines if line and not line.startswith("#")}


def main():
    found = branches(export())
    explanations = explained()
    unused = set(explanations)
    problems = []
    total = Counter()
    print(f"{'file':28} {'outcomes':>8} {'taken':>6} {'explained':>9}")
    for file, places in sorted(found.items()):
        if not file.startswith(RECEIVING):
            continue
        lines = (SRC / file).read_text().splitlines()
        row = Counter()
        for place, counts in sorted(places.items()):
            if place[0] >= first_test(lines):
                continue
            for never, count in counts.items():
                key = file, never, condition(lines, place)
                row["outcomes"] += 1
                if count:
                    row["taken"] += 1
                elif key in explanations:
                    row["explained"] += 1
                    unused.discard(key)
                else:
                    problems.append(f"src/{file}:{place[0]}:{place[1]}: {never}: {key[2]}")
        total += row
        print(f"{file:28} {row['outcomes']:8} {row['taken']:6} {row['explained']:9}")
    print(f"{'all':28} {total['outcomes']:8} {total['taken']:6} {total['explained']:9}")
    problems += [f"explained, but tests take it or it is gone: {' | '.join(key)}" for key in sorted(unused)]
    if problems or not total:
        sys.exit("\n".join(problems) or "the export has no branch of src/")


main()
