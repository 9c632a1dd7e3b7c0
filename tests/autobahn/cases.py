"""The cases of the suite: which of them run, and what this folder corrects in kosoku."""

import fnmatch
import importlib.metadata
import re

from kosoku.cases import CASES

# Look at the corrections again before you change the version.
CORRECTED_VERSION = "0.1.0"
# 6.2.4, and the valid ones from 6.5 to 6.23.
VALID_UTF8_CASES = 64
COMPRESSION_GROUPS = (12, 13)
# In these parts of group 13 the suite's server answers only an offer without context takeover.
NO_CONTEXT_TAKEOVER = ("13.2.", "13.5.", "13.6.", "13.7.")


class Fault(Exception):
    """The reason why the run ends early."""


def group(case):
    return int(case.split(".")[0])


def compresses(case):
    return group(case) in COMPRESSION_GROUPS


def offer(case):
    """The option with which our client offers compression in this case."""
    return "--deflate=no-context-takeover" if case.startswith(NO_CONTEXT_TAKEOVER) else "--deflate"


def described_bytes(description):
    """The bytes that a case of 6.2.4 or 6.5 to 6.23 describes: its description ends in them, as b'hex'."""
    return bytes.fromhex(re.findall(r"b'([0-9a-f]*)'", description)[-1])


def selected(patterns):
    """The ids that match a pattern. kosoku gets exact ids."""
    if len(CASES) != 517:
        raise Fault(f"the suite has {len(CASES)} cases instead of 517")
    for pattern in patterns:
        if not fnmatch.filter(CASES, pattern):
            raise Fault(f"no case matches {pattern}")
    return [case for case in CASES if any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)]


def correct(messages):
    """Corrects the case classes in memory. Cases of groups 12 and 13 send this number of messages, or all if 0."""
    version = importlib.metadata.version("kosoku")
    if version != CORRECTED_VERSION:
        raise Fault(f"kosoku {version} is installed, but the corrections are for {CORRECTED_VERSION}")
    valid = 0
    for case, definition in CASES.items():
        if case == "6.2.4" or getattr(definition, "isValid", False):
            correct_text(case, definition)
            valid += 1
        if compresses(case):
            definition.onMessage = with_bytes(definition.onMessage)
            if definition.COUNT != 1000:
                raise Fault(f"case {case} sends {definition.COUNT} messages instead of 1000")
            definition.COUNT = messages or 1000
    if valid != VALID_UTF8_CASES:
        raise Fault(f"{valid} cases send valid UTF-8 instead of {VALID_UTF8_CASES}")


def correct_text(case, definition):
    # The suite is for Python 2, where '\xce\xba' is two bytes of one letter. In Python 3 it is two characters, and kosoku
    # encodes each of them. That is valid UTF-8, but it has no sequence of three or four bytes. The cases with invalid
    # UTF-8 have byte strings, so they are right.
    described = described_bytes(definition.DESCRIPTION)
    if definition.PAYLOAD != described.decode("latin-1"):
        raise Fault(f"case {case} has an unexpected payload: {definition.PAYLOAD!r}")
    definition.PAYLOAD = described.decode("utf-8")


def with_bytes(on_message):
    # A peer may send a message uncompressed although both sides agreed on compression. Then kosoku passes a str, and the
    # case crashes because it expects bytes.
    def on_bytes(self, message, binary):
        if isinstance(message, str):
            message = message.encode("latin-1" if binary else "utf-8")
        on_message(self, message, binary)

    return on_bytes
