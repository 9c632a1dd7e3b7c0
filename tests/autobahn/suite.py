"""The suite as it is run here: what is corrected in kosoku, and which of its cases are wanted."""

import argparse
import fnmatch
import importlib.metadata
import re

from kosoku.cases import CASES

# The corrections below were written for this version: with another one, look at them again.
WRITTEN_FOR = "0.1.0"
# 6.2.4 and the valid ones among 6.5 to 6.23.
VALID_UTF8_CASES = 64
COMPRESSION_GROUPS = (12, 13)
# In these parts of group 13 the suite as a server wants a client to do without context takeover. It declines the
# extension, and asks nothing, unless the client has offered that.
NO_CONTEXT_TAKEOVER = ("13.2.", "13.5.", "13.6.", "13.7.")


class Fault(Exception):
    """The run cannot go on, and why."""


def group(case):
    return int(case.split(".")[0])


def offer(case):
    """The option with which our client offers compression in this case."""
    return "--deflate=no-context-takeover" if case.startswith(NO_CONTEXT_TAKEOVER) else "--deflate"


def intended_octets(description):
    """The octets a case of 6.2.4 or 6.5 to 6.23 means to send: its description ends in them, as b'hex'."""
    return bytes.fromhex(re.findall(r"b'([0-9a-f]*)'", description)[-1])


def add_options(parser: argparse.ArgumentParser):
    parser.add_argument("--cases", action="append", metavar="PATTERN", help="only these, say 1.*; may be repeated")


def selected(options):
    """The ids of the cases to run. Patterns are matched here, whole, so that kosoku is only asked for exact ids."""
    if not options.cases:
        if len(CASES) != 517:
            raise Fault(f"the suite has {len(CASES)} cases")
        return list(CASES)
    for pattern in options.cases:
        if not fnmatch.filter(CASES, pattern):
            raise Fault(f"no case matches {pattern}")
    return [case for case in CASES if any(fnmatch.fnmatchcase(case, pattern) for pattern in options.cases)]


def correct():
    """Corrects the case classes in memory; the installed files stay as they are. Raises where a fault is not found."""
    version = importlib.metadata.version("kosoku")
    if version != WRITTEN_FOR:
        raise Fault(f"kosoku {version} is installed, the corrections are for {WRITTEN_FOR}")
    _correct_valid_utf8()
    _correct_uncompressed_echoes()


def _correct_valid_utf8():
    # The suite was written for Python 2, where '\xce\xba' is the two octets of one letter. In Python 3 it is two
    # characters, and kosoku encodes them once more when it sends them as text. What goes out is still valid, but
    # holds no sequence of three or four octets. The invalid vectors were made byte strings and go out as meant.
    corrected = 0
    for case, definition in CASES.items():
        if case != "6.2.4" and not getattr(definition, "isValid", False):
            continue
        intended = intended_octets(definition.DESCRIPTION)
        if definition.PAYLOAD != intended.decode("latin-1"):
            raise Fault(f"the payload of case {case} is not what the correction expects: {definition.PAYLOAD!r}")
        definition.PAYLOAD = intended.decode("utf-8")
        corrected += 1
    if corrected != VALID_UTF8_CASES:
        raise Fault(f"{corrected} cases send valid UTF-8, and not {VALID_UTF8_CASES}")


def _correct_uncompressed_echoes():
    # A peer may answer uncompressed although compression was negotiated. kosoku then hands over a str, the cases of
    # groups 12 and 13 hash it as the octets it was in Python 2, and crash. They get the octets.
    for case, definition in CASES.items():
        if group(case) in COMPRESSION_GROUPS:
            definition.onMessage = _with_octets(definition.onMessage)


def _with_octets(on_message):
    def on_octets(self, message, binary):
        if isinstance(message, str):
            message = message.encode("latin-1" if binary else "utf-8")
        on_message(self, message, binary)

    return on_octets


def limit_messages(count):
    """Makes the cases of groups 12 and 13 send this many messages."""
    for case, definition in CASES.items():
        if group(case) in COMPRESSION_GROUPS:
            if definition.COUNT != 1000:
                raise Fault(f"case {case} sends {definition.COUNT} messages, and not 1000")
            definition.COUNT = count
