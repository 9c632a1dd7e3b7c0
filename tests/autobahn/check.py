"""Reads the reports of one role and says whether every case went as it has to. Exit status 1 if one did not.

Usage: check.py server|client REPORTS [--cases PATTERN]...

The suite counts NON-STRICT as passed, and a peer that drops the connection instead of failing it. Here neither passes.
"""

import argparse
import collections
import json
import re
import sys
from pathlib import Path

import suite

# What the suite only reports, because RFC 6455 leaves it open: a Close that overtakes a long echo, codes over 4999.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

# Where the peer has to fail the connection, the code it has to say so with (RFC 6455 7.4.1: 1002 for a protocol
# error, 1007 for data that is not consistent with its type), and the rule that is broken. 117 cases.
FAILURES = [
    (1002, "2.5", "5.5: a control frame carries 125 bytes at most; a Ping of 126"),
    (1002, "3.1-7", "5.2: RSV1 to RSV3 are 0 where no extension gave them a meaning"),
    (1002, "4.1.1-5", "5.2: opcodes 3 to 7 are reserved"),
    (1002, "4.2.1-5", "5.2: opcodes B to F are reserved"),
    (1002, "5.1-2", "5.5: a control frame is not fragmented; a Ping and a Pong without FIN"),
    (1002, "5.9-17", "5.4: a Continuation follows a frame without FIN; here no message is open"),
    (1002, "5.18", "5.4: a new message does not begin before the last one ended"),
    (1007, "6.3.1-2", "8.1: a UTF-16 surrogate in the middle of a text, in one frame and byte by byte"),
    (1007, "6.4.1-4", "8.1: a code point over 10FFFF, the text sent in three parts"),
    (1007, "6.6.1,3-4,6,8,10", "8.1: a text that ends within a character"),
    (1007, "6.8.1-2", "8.1, RFC 3629 3: there are no sequences of 5 and 6 octets"),
    (1007, "6.10.1-3", "8.1, RFC 3629 3: nor of 4 octets over 10FFFF"),
    (1007, "6.11.5", "8.1, RFC 3629 3: 110000, the first code point too many"),
    (1007, "6.12.1-8", "8.1, RFC 3629 3: continuation octets with nothing to continue"),
    (1007, "6.13.1-5", "8.1, RFC 3629 3: first octets with nothing that continues them"),
    (1007, "6.14.1-10", "8.1, RFC 3629 3: the last octet of a sequence is missing"),
    (1007, "6.15.1", "8.1, RFC 3629 3: all of 6.14 joined"),
    (1007, "6.16.1-3", "8.1, RFC 3629 3: FE and FF occur nowhere"),
    (1007, "6.17.1-5", "8.1, RFC 3629 3: overlong forms of /"),
    (1007, "6.18.1-5", "8.1, RFC 3629 3: the highest overlong forms"),
    (1007, "6.19.1-5", "8.1, RFC 3629 3: overlong forms of NUL"),
    (1007, "6.20.1-7", "8.1, RFC 3629 3: UTF-16 surrogates"),
    (1007, "6.21.1-8", "8.1, RFC 3629 3: pairs of UTF-16 surrogates"),
    (1002, "7.3.2", "5.5.1: the body of a Close is empty or begins with a code of two bytes; here it is one byte"),
    (1002, "7.3.6", "5.5: a control frame carries 125 bytes at most; a Close of 126"),
    (1007, "7.5.1", "5.5.1, 8.1: the reason of a Close is UTF-8"),
    (1002, "7.9.1-9", "7.4: codes that no endpoint may send: 0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999"),
]


# What the suite asks of the compression of our messages in each part of group 13: whether to do without context
# takeover, and the window bits, if it names any.
ASKED = {1: (False, None), 2: (True, None), 3: (False, 9), 4: (False, 15), 5: (True, 9), 6: (True, 15), 7: (True, 9)}

# Our examples send messages shorter than this as they are.
COMPRESSED_FROM = 128


def expected_codes():
    """{case: Close code} for the table above."""
    codes = {}
    for code, cases, _rule in FAILURES:
        prefix, _, numbers = cases.rpartition(".")
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                codes[f"{prefix}.{number}"] = code
    if len(codes) != 117:
        raise suite.Fault(f"the table of failures has {len(codes)} cases")
    return codes


def load(reports, cases):
    """{case: report}. The index must name every case that was asked for once, and nothing else."""
    entries = {}
    # By agent: one name of the peer as a rule, its address where it never got so far as to tell its name.
    for by_case in json.loads((reports / "index.json").read_text()).values():
        for case, entry in by_case.items():
            if case in entries:
                raise suite.Fault(f"case {case} is reported twice")
            entries[case] = entry
    for case in cases:
        if case not in entries:
            raise suite.Fault(f"case {case} is missing")
    for case in entries:
        if case not in cases:
            raise suite.Fault(f"case {case} was not asked for")
    loaded = {}
    for case in cases:
        loaded[case] = report = json.loads((reports / entries[case]["reportfile"]).read_text())
        for key in ("behavior", "behaviorClose"):
            if report["id"] != case or report[key] != entries[case][key]:
                raise suite.Fault(f"case {case}: the report is not the one of the index")
    return loaded


# The wire log of a report is a list of entries. RF is a frame received: [payload, opcode, FIN, RSV, masked, key].
# TO are octets sent: [octets, ...]. Octets are logged as [length, hexadecimal], the hexadecimal cut after 64 octets.
OCTETS_LOGGED = 64
LONGEST_HEADER = 6  # of the short frames that are looked at


def frames_received(report):
    return [entry[1:] for entry in report["wirelog"] if entry[0] == "RF"]


def octets(logged):
    """The octets of a logged payload, which is hexadecimal after 0x, or else text."""
    text = logged[1].removesuffix(" ...")
    return bytes.fromhex(text[2:]) if re.fullmatch("0x([0-9a-f]{2})+", text) else text.encode()


def payload_sent(report):
    """The payload of the text that was sent, its frames joined, as far as it was logged."""
    stream = joined = b""
    for _tag, (length, logged), _sync in (entry for entry in report["wirelog"] if entry[0] == "TO"):
        stream += bytes.fromhex(logged.removesuffix(" ..."))
        if length > OCTETS_LOGGED:
            break
    while stream and stream[0] & 0xF <= 1:
        masked, length = stream[1] >> 7, stream[1] & 0x7F
        key, payload = (stream[2:6], stream[6 : 6 + length]) if masked else (bytes(4), stream[2 : 2 + length])
        joined += bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
        stream = stream[2 + 4 * masked + length :]
    return joined


def wrong_verdict(case, report):
    verdicts = report["behavior"], report["behaviorClose"]
    wanted = "INFORMATIONAL" if case in INFORMATIONAL else "OK"
    if verdicts != (wanted, wanted):
        return f"{verdicts[0]}, its end {verdicts[1]}: {report['result']} {report['resultClose']}"
    return None


def wrong_frames(case, report, role):
    """What the suite does not look at: masks, reserved bits, and that the last frame is a Close."""
    frames = frames_received(report)
    for _payload, opcode, _fin, rsv, masked, _key in frames:
        if masked != (role == "client"):
            return f"a frame came {'masked' if masked else 'unmasked'} (RFC 6455 5.1)"
        if rsv != 0 and not (suite.group(case) in suite.COMPRESSION_GROUPS and rsv == 4 and opcode in (1, 2)):
            return f"a frame came with RSV {rsv} (RFC 6455 5.2)"
    keys = [key for *_rest, key in frames]
    if role == "client" and len(set(keys)) != len(keys):
        return "two frames came with one masking key (RFC 6455 5.3)"
    if not frames or frames[-1][1] != 8:
        return "no Close frame came (RFC 6455 5.5.1)"
    return None


def wrong_compression(case, report, role):
    """What the suite does not look at: whether what it asked for was agreed on, and our messages came compressed."""
    if suite.group(case) not in suite.COMPRESSION_GROUPS:
        return None
    [answer] = re.findall(r"(?mi)^Sec-WebSocket-Extensions: *(.*?)\s*$", report["httpResponse"]) or [""]
    extension, *parameters = [part.strip() for part in answer.split(";")]
    no_takeover, bits = ASKED[int(case.split(".")[1])] if suite.group(case) == 13 else (False, None)
    agreed = f"{role}_no_context_takeover" in parameters, f"{role}_max_window_bits={bits}" in parameters
    named = any(parameter.startswith(f"{role}_max_window_bits") for parameter in parameters)
    if extension != "permessage-deflate" or agreed != (no_takeover, bits is not None) or named != (bits is not None):
        return f"agreed on was {answer or 'nothing'} (RFC 7692 7.1)"
    length = int(re.search(r"payload size (\d+),", report["description"])[1])
    traffic = report["trafficStats"]
    messages, there, wire = [
        traffic[f"incoming{what}"] for what in ("WebSocketMessages", "OctetsAppLevel", "OctetsWebSocketLevel")
    ]
    if not messages or (wire == there) != (length < COMPRESSED_FROM):
        return f"{messages} messages of {length} octets, {there} in all, came as {wire} octets"
    return None


def wrong_echo(report):
    """None if the peer answered the suite's Close with the same code, or with none where there was none."""
    sent, came = report["localCloseCode"], report["remoteCloseCode"]
    return None if sent == came else f"Close {sent} was answered with {came} (RFC 6455 5.5.1)"


def wrong_code(report, code):
    """None if the peer's Close frame carries this code, on the wire and in the suite's eyes."""
    for payload, opcode, *_rest in frames_received(report):
        if opcode == 8:
            told = int.from_bytes(octets(payload)[:2], "big") if payload[0] >= 2 else 1005
            if told == report["remoteCloseCode"] == code:
                return None
            return f"the failure was told with {told}, and not with {code}"
    return f"the failure was not told, {code} is missing"


def wrong_vector(case, report):
    """What is wrong with what the suite sent: whether suite.py's correction of the UTF-8 cases reached the wire."""
    if case != "6.2.4" and not (case.startswith("6.") and int(case.split(".")[1]) >= 5):
        return None
    sent, intended = payload_sent(report), suite.intended_octets(report["description"])
    if sent != intended[: len(sent)] or len(sent) < min(len(intended), OCTETS_LOGGED - LONGEST_HEADER):
        return f"the suite sent {sent.hex()}, and not {intended.hex()}"
    real_sequence = {"6.2.4": "\u1f79", "6.5.3": "\u20ac", "6.5.4": "\U00024b62"}.get(case, "").encode()
    if real_sequence not in sent:
        return f"the suite sent no {real_sequence.hex()}"
    return None


def wrong_table(case, report, codes):
    """The suite takes 1000 for an answer exactly where there is nothing to fail: a cross-check of FAILURES."""
    accepted = report["expectedClose"].get("closeCode")
    if accepted and (1000 in accepted) == (case in codes):
        return f"the suite accepts {accepted}, the table of failures says {codes.get(case, 'no failure')}"
    return None


def counts(reports, always):
    """How many reports have which verdict: these always, others where there are any."""
    numbers = collections.Counter(report["behavior"] for report in reports)
    return ", ".join(f"{numbers[behavior]} {behavior}" for behavior in always + sorted(set(numbers) - set(always)))


def check(role, reports):
    """Prints the counts, and returns what is wrong, as (case, why)."""
    print(f"{role}: {counts(reports.values(), ['OK', 'INFORMATIONAL', 'NON-STRICT', 'UNIMPLEMENTED', 'FAILED'])}")
    plain = [report for case, report in reports.items() if suite.group(case) not in suite.COMPRESSION_GROUPS]
    if 0 < len(plain) < len(reports):
        print(f"{role}: groups 1 to 10: {counts(plain, ['OK', 'INFORMATIONAL', 'NON-STRICT', 'FAILED'])}")

    wrong = []
    codes = expected_codes()
    failures = told = 0
    for case, report in reports.items():
        whys = [wrong_verdict(case, report), wrong_vector(case, report), wrong_table(case, report, codes)]
        if case in codes:
            failures += 1
            whys.append(wrong_code(report, codes[case]))
            told += whys[-1] is None
        elif case not in INFORMATIONAL:
            whys.append(wrong_echo(report))
        whys += [wrong_frames(case, report, role), wrong_compression(case, report, role)]
        wrong += [(case, why) for why in whys if why][:1]
    if failures:
        print(f"{role}: {told} of {failures} failures told with the right Close code")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("reports", type=Path)
    suite.add_options(parser)
    options = parser.parse_args()
    wrong = check(options.role, load(options.reports, suite.selected(options)))
    sys.stdout.flush()
    for case, why in wrong[:10]:
        print(f"{options.role}: case {case}: {why}", file=sys.stderr)
    if len(wrong) > 10:
        print(f"{options.role}: and {len(wrong) - 10} more, see {options.reports}/index.html", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (suite.Fault, OSError) as fault:
        sys.exit(f"{sys.argv[1]}: {fault}")
