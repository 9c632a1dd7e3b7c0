"""Which branches of src/ the tests never took: reads what `llvm-cov export` prints.

Usage: report.py EXPORT.json ROOT

Prints a table, a line for each file that reads what a peer sends, and fails if one of its branches was never
taken one way, unless `unreached.txt` beside this file explains it; and if it explains one that was taken.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent

# What bytes from a peer pass through.
RECEIVING = (
    "wire/", "connection/closing.rs", "connection/connection.rs", "connection/pongs.rs",
    "connection/read_buffer/", "connection/receiver/", "connection/std_io.rs",
    "deflate/inflater.rs", "handshake/",
)  # fmt: skip


def branches(export, src):
    """How often each branch was true and false, by file and place, over all copies of the code."""
    found = {}
    for function in export["data"][0]["functions"]:
        for line, column, end, end_column, true, false, file, *_ in function["branches"]:
            path = pathlib.Path(function["filenames"][file])
            if not path.is_relative_to(src):
                continue
            places = found.setdefault(path.relative_to(src).as_posix(), {})
            counts = places.setdefault((line, column, end, end_column), [0, 0])
            counts[0] += true
            counts[1] += false
    return found


def text(lines, place):
    line, column, end, end_column = place
    if line == end:
        return lines[line - 1][column - 1 : end_column - 1]
    return lines[line - 1][column - 1 :].strip() + " ..."


def tests_begin(lines):
    """The line on which a file's unit tests begin."""
    for number, line in enumerate(lines, 1):
        if line == "#[cfg(test)]" and lines[number].startswith("mod "):
            return number
    return len(lines) + 1


def explained():
    """The lines of `unreached.txt`: file | never true or never false | the condition | why."""
    entries = {}
    for line in (HERE / "unreached.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            file, never, condition, reason = (part.strip() for part in line.split(" | ", 3))
            entries[file, never, condition] = reason
    return entries


def main():
    export = json.loads(pathlib.Path(sys.argv[1]).read_text())
    src = pathlib.Path(sys.argv[2]).resolve() / "src"
    found = branches(export, src)
    if not found:
        sys.exit("no branch of src/ in the export")
    reasons = explained()
    missed, used = [], set()
    print(f"{'file':28} {'outcomes':>8} {'taken':>6} {'explained':>9}")
    total = [0, 0, 0]
    for file, places in sorted(found.items()):
        if not file.startswith(RECEIVING):
            continue
        lines = (src / file).read_text().splitlines()
        last = tests_begin(lines)
        row = [0, 0, 0]
        for place, counts in sorted(places.items()):
            if place[0] >= last:
                continue
            for never, count in zip(("never true", "never false"), counts):
                row[0] += 1
                key = (file, never, text(lines, place))
                if count:
                    row[1] += 1
                elif key in reasons:
                    row[2] += 1
                    used.add(key)
                else:
                    missed.append(f"src/{file}:{place[0]}:{place[1]}: {never}: {key[2]}")
        if row[0]:
            print(f"{file:28} {row[0]:8} {row[1]:6} {row[2]:9}")
        total = [a + b for a, b in zip(total, row)]
    print(f"{'all':28} {total[0]:8} {total[1]:6} {total[2]:9}")
    for line in missed:
        print(line)
    stale = [" | ".join(key) for key in reasons if key not in used]
    for line in stale:
        print(f"explained, and yet taken or gone: {line}")
    if missed or stale:
        sys.exit(1)


main()
