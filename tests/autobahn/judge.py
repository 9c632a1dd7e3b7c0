"""Judges the results of one role. This is stricter than the suite, which accepts NON-STRICT and dropped connections."""

import collections
import json
import re

from kosoku._report import case_to_dict

import cases
from cases import Fault

# RFC 6455 leaves these open: a Close that overtakes a long echo, and codes over 4999.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

# In 117 cases the peer must fail the connection. Here is the code of its Close frame (RFC 6455, section 7.4.1), and the
# section with the rule that the case breaks.
FAILURES = [
    (1002, "2.5", "5.5: a control frame has at most 125 bytes; a Ping of 126"),
    (1002, "3.1-7", "5.2: RSV1 to RSV3 are 0 unless an extension uses them"),
    (1002, "4.1.1-5", "5.2: opcodes 3 to 7 are reserved"),
    (1002, "4.2.1-5", "5.2: opcodes B to F are reserved"),
    (1002, "5.1-2", "5.5: a control frame is not fragmented; a Ping and a Pong without FIN"),
    (1002, "5.9-17", "5.4: a Continuation follows a frame without FIN; no message is open"),
    (1002, "5.18", "5.4: a new message begins only after the end of the last message"),
    (1007, "6.3.1-2", "8.1: a UTF-16 surrogate inside a text, in one frame and byte by byte"),
    (1007, "6.4.1-4", "8.1: a code point over 10FFFF, in a text of three parts"),
    (1007, "6.6.1,3-4,6,8,10", "8.1: a text that ends inside a character"),
    (1007, "6.8.1-2", "8.1, RFC 3629 section 3: a sequence of 5 or 6 bytes"),
    (1007, "6.10.1-3", "8.1, RFC 3629 section 3: a sequence of 4 bytes over 10FFFF"),
    (1007, "6.11.5", "8.1, RFC 3629 section 3: 110000, the first code point over 10FFFF"),
    (1007, "6.12.1-8", "8.1, RFC 3629 section 3: continuation bytes without a first byte"),
    (1007, "6.13.1-5", "8.1, RFC 3629 section 3: first bytes without continuation bytes"),
    (1007, "6.14.1-10", "8.1, RFC 3629 section 3: sequences without their last byte"),
    (1007, "6.15.1", "8.1, RFC 3629 section 3: the sequences of 6.14 in one text"),
    (1007, "6.16.1-3", "8.1, RFC 3629 section 3: FE and FF"),
    (1007, "6.17.1-5", "8.1, RFC 3629 section 3: overlong forms of /"),
    (1007, "6.18.1-5", "8.1, RFC 3629 section 3: the highest overlong forms"),
    (1007, "6.19.1-5", "8.1, RFC 3629 section 3: overlong forms of NUL"),
    (1007, "6.20.1-7", "8.1, RFC 3629 section 3: UTF-16 surrogates"),
    (1007, "6.21.1-8", "8.1, RFC 3629 section 3: pairs of UTF-16 surrogates"),
    (1002, "7.3.2", "5.5.1: the body of a Close is empty or begins with a code of two bytes; one byte"),
    (1002, "7.3.6", "5.5: a control frame has at most 125 bytes; a Close of 126"),
    (1007, "7.5.1", "5.5.1, 8.1: the reason of a Close is UTF-8"),
    (1002, "7.9.1-9", "7.4: codes that no endpoint may send: 0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999"),
]

# What each part of group 13 demands of the compression of our messages: no context takeover or not, and window bits.
DEMANDED = {1: (False, None), 2: (True, None), 3: (False, 9), 4: (False, 15), 5: (True, 9), 6: (True, 15), 7: (True, 9)}

# Our examples do not compress shorter messages.
COMPRESSED_FROM = 128

CLOSE = 8


def failure_codes():
    """The Close code of each case in the table above."""
    codes = {}
    for code, ranges, _rule in FAILURES:
        prefix, _, numbers = ranges.rpartition(".")
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            for number in range(int(first), int(last or first) + 1):
                codes[f"{prefix}.{number}"] = code
    if len(codes) != 117:
        raise Fault(f"the table of failures has {len(codes)} cases instead of 117")
    return codes


# The wire log is a list of entries. RF is a frame received: [payload, opcode, FIN, RSV, masked, key]. TO are bytes sent:
# [bytes, ...]. The log has bytes as [length, hexadecimal], and cuts the hexadecimal after 64 bytes.
LOGGED_BYTES = 64
LONGEST_HEADER = 6  # Of the short frames that `sent_text` reads.


def received_frames(report):
    return [entry[1:] for entry in report["wirelog"] if entry[0] == "RF"]


def logged_bytes(logged):
    """The bytes of a logged payload. The log has them as hexadecimal after 0x, or as text."""
    text = logged[1].removesuffix(" ...")
    return bytes.fromhex(text[2:]) if re.fullmatch("0x([0-9a-f]{2})+", text) else text.encode()


def sent_text(report):
    """The payload of the text that the suite sent, from all its frames, until the first cut in the log."""
    stream = joined = b""
    for _tag, (length, logged), _sync in (entry for entry in report["wirelog"] if entry[0] == "TO"):
        stream += bytes.fromhex(logged.removesuffix(" ..."))
        if length > LOGGED_BYTES:
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


def wrong_frames(case, report, role):
    """The suite does not check masks and reserved bits, nor that the last frame is a Close."""
    frames = received_frames(report)
    for _payload, opcode, _fin, rsv, masked, _key in frames:
        if masked != (role == "client"):
            return f"a frame was {'masked' if masked else 'unmasked'} (RFC 6455, section 5.1)"
        if rsv != 0 and not (cases.compresses(case) and rsv == 4 and opcode in (1, 2)):
            return f"a frame had RSV {rsv} (RFC 6455, section 5.2)"
    keys = [key for *_rest, key in frames]
    if role == "client" and len(set(keys)) != len(keys):
        return "two frames had the same masking key (RFC 6455, section 5.3)"
    if not frames or frames[-1][1] != CLOSE:
        return "the last frame was not a Close frame (RFC 6455, section 5.5.1)"


def wrong_compression(case, report, role):
    """The suite does not check that the handshake agrees on what it demands, nor that our messages are compressed."""
    if not cases.compresses(case):
        return None
    [answer] = re.findall(r"(?mi)^Sec-WebSocket-Extensions: *(.*?)\s*$", report["httpResponse"]) or [""]
    extension, *parameters = [part.strip() for part in answer.split(";")]
    no_takeover, bits = DEMANDED[int(case.split(".")[1])] if cases.group(case) == 13 else (False, None)
    agreed = f"{role}_no_context_takeover" in parameters, f"{role}_max_window_bits={bits}" in parameters
    named = any(parameter.startswith(f"{role}_max_window_bits") for parameter in parameters)
    if extension != "permessage-deflate" or agreed != (no_takeover, bits is not None) or named != (bits is not None):
        return f"both sides agreed on {answer or 'no extension'} (RFC 7692, section 7.1)"
    length = int(re.search(r"payload size (\d+),", report["description"])[1])
    traffic = report["trafficStats"]
    messages, size, on_wire = [
        traffic[f"incoming{what}"] for what in ("WebSocketMessages", "OctetsAppLevel", "OctetsWebSocketLevel")
    ]
    if not messages or (on_wire == size) != (length < COMPRESSED_FROM):
        return f"{messages} messages of {length} bytes, {size} in all, were {on_wire} bytes on the wire"


def wrong_close(case, report, code):
    """Our Close frame has the code of the failure. Without a failure, it has the code of the suite's Close frame."""
    if case in INFORMATIONAL:
        return None
    answer = report["remoteCloseCode"]
    if code is None:
        sent = report["localCloseCode"]
        return None if sent == answer else f"the answer to Close {sent} was {answer} (RFC 6455, section 5.5.1)"
    for payload, opcode, *_rest in received_frames(report):
        if opcode == CLOSE:
            received = int.from_bytes(logged_bytes(payload)[:2], "big") if payload[0] >= 2 else 1005
            return None if received == answer == code else f"the Close frame had {received} instead of {code}"
    return f"there was no Close frame with {code}"


def wrong_vector(case, report):
    """The suite must send the UTF-8 that the case describes."""
    if case != "6.2.4" and not (case.startswith("6.") and int(case.split(".")[1]) >= 5):
        return None
    sent, described = sent_text(report), cases.described_bytes(report["description"])
    if sent != described[: len(sent)] or len(sent) < min(len(described), LOGGED_BYTES - LONGEST_HEADER):
        return f"the suite sent {sent.hex()} instead of {described.hex()}"
    sequence = {"6.2.4": "\u1f79", "6.5.3": "\u20ac", "6.5.4": "\U00024b62"}.get(case, "").encode()
    if sequence not in sent:
        return f"the suite did not send {sequence.hex()}"


def wrong_table(case, report, code):
    """The suite accepts 1000 exactly if there is no failure. This checks the table of failures."""
    accepted = report["expectedClose"].get("closeCode")
    if accepted and (1000 in accepted) == (code is not None):
        return f"the suite accepts {accepted}, but the table of failures has {code}"


def counts(reports):
    """The number of reports with each verdict. It names some verdicts even if there are none."""
    numbers = collections.Counter(dict.fromkeys(["OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED"], 0))
    numbers.update(report["behavior"] for report in reports)
    return ", ".join(f"{number} {behavior}" for behavior, number in numbers.items())


def judge(role, results, selected):
    """Prints the counts. Returns a pair of case and reason for each case that is wrong."""
    # As in the report's file.
    reports = {result.case_id: json.loads(json.dumps(case_to_dict(result))) for result in results}
    if sorted(result.case_id for result in results) != sorted(selected):
        raise Fault(f"{len(selected)} cases were selected, but the suite reports {len(results)}, or others")
    print(f"{role}: {counts(reports.values())}")
    plain = [report for case, report in reports.items() if not cases.compresses(case)]
    if 0 < len(plain) < len(reports):
        print(f"{role}: groups 1 to 10: {counts(plain)}")

    codes = failure_codes()
    wrong = []
    failures = right_failures = 0
    for case, report in reports.items():
        code = codes.get(case)
        close = wrong_close(case, report, code)
        if code is not None:
            failures += 1
            right_failures += close is None
        reasons = [
            wrong_verdict(case, report),
            wrong_vector(case, report),
            wrong_table(case, report, code),
            close,
            wrong_frames(case, report, role),
            wrong_compression(case, report, role),
        ]
        wrong += [(case, reason) for reason in reasons if reason][:1]
    if failures:
        print(f"{role}: {right_failures} of {failures} failures had a Close frame with the right code")
    return wrong
