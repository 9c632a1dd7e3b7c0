//! The negotiation (RFC 7692 sections 5 and 7.1), and that both sides then do what was agreed on.

use sockless::handshake::{RequestError, ResponseError};
use sockless::{Config, Connection, Deflate, ProtocolError};

use super::reference::inflate;
use super::{OFFER, ask, everything, noise, pair, repeat, run, sent, serve, stored, with};
use sockless::test_util::{Frame, OwnedEvent, Role, encode};

/// What one role may do, and what it does: window bits and takeover, its own and its peer's.
type Terms = (u8, bool, u8, bool);

const FULL: Terms = (15, true, 15, true);

fn wishes(terms: Terms) -> Config {
    let (bits, takeover, peer_bits, peer_takeover) = terms;
    with(
        Deflate::new()
            .with_min_size(0)
            .with_max_window_bits(bits)
            .with_context_takeover(takeover)
            .with_peer_max_window_bits(peer_bits)
            .with_peer_context_takeover(peer_takeover),
    )
}

/// Tries out what a role sends and what it accepts.
fn check_terms(role: Role, mut connect: impl FnMut() -> Connection, terms: Terms, what: &str) {
    let (bits, takeover, peer_bits, peer_takeover) = terms;
    check_sent(&mut connect(), bits, takeover, what);
    check_received(role, &mut connect, peer_bits, peer_takeover, what);
}

/// The output refers as far back as it may, or, 262 bytes less for the compressor's sake, almost.
fn check_sent(connection: &mut Connection, bits: u8, takeover: bool, what: &str) {
    let data: Vec<_> = (9..=15.min(bits + 1))
        .flat_map(|bits| noise(100 << (bits - 8), 77).repeat(2))
        .collect();
    let end = noise(150, 78);
    let mut before = Vec::new();
    for message in [&data, &end, &end] {
        connection.send_binary(message).unwrap();
        let mut frames = sent(connection.output());
        connection.advance_output(connection.output().len());
        let (first, payload) = frames.pop().unwrap();
        if bits == 8 {
            assert_eq!((first, &payload), (0x82, message), "{what}");
            continue;
        }
        assert_eq!(first, 0xc2, "{what}");
        let inflated = inflate(&payload, if takeover { &before } else { &[] });
        assert!(inflated.whole && inflated.data == *message, "{what}");
        assert!(inflated.reach <= 1 << bits, "{what}: {}", inflated.reach);
        if message.len() > 150 {
            let least = 100 << (bits - 8);
            assert!(inflated.reach >= least, "{what}: {}", inflated.reach);
        } else {
            // Noise, of which the second copy is a reference to the first if that is allowed.
            let refers = takeover && !before.ends_with(&data);
            assert_eq!(inflated.reach > 0, refers, "{what}");
        }
        before.extend(inflated.data);
    }
}

/// References as far back as the peer may make them are understood, behind a block with BFINAL, too, and
/// without takeover none at all.
fn check_received(
    role: Role,
    connect: &mut impl FnMut() -> Connection,
    bits: u8,
    takeover: bool,
    what: &str,
) {
    let data = noise(40_000, 79);
    let mut first = stored(&data);
    for _ in 0..2 {
        for distance in [3, 1 << bits] {
            let frames = [Frame::new(0xc2, &first), Frame::new(0xc2, repeat(distance))];
            let outcome = run(connect(), &encode(&frames, role), &[]);
            let from = data.len() - distance;
            let mut expected = vec![OwnedEvent::binary(&data)];
            expected.extend(takeover.then(|| OwnedEvent::binary(&data[from..from + 3])));
            assert!(outcome.events == expected, "{what}");
            let error = (!takeover).then_some(ProtocolError::CorruptCompression);
            assert_eq!(outcome.error, error, "{what}");
        }
        first.extend([0, 0, 0xff, 0xff, 0x03, 0x00, 0x00]);
    }
}

#[test]
fn the_default_offer() {
    assert_eq!(ask(&[], &with(Deflate::default())).1.unwrap(), OFFER);
    assert_eq!(ask(&[], &everything()).1.unwrap(), OFFER);
    // Nobody who did not ask for compression offers or accepts it.
    assert_eq!(ask(&[], &Config::default()).1, None);
    let (connection, answer) = serve(&[OFFER], &Config::default()).unwrap();
    assert_eq!((connection.uses_deflate(), answer), (false, None));
}

/// Each wish is set by the method of its name, and no other with it.
#[test]
fn wishes_are_set_one_by_one() {
    const ALL: Deflate = Deflate::new()
        .with_level(1)
        .with_memory_level(2)
        .with_min_size(3)
        .with_max_window_bits(10)
        .with_peer_max_window_bits(11)
        .with_offer_client_max_window_bits(false);
    assert_eq!((ALL.level, ALL.memory_level, ALL.min_size), (1, 2, 3));
    assert_eq!((ALL.max_window_bits, ALL.peer_max_window_bits), (10, 11));
    let offers = |wishes: &Deflate| wishes.offer_client_max_window_bits;
    assert!(!offers(&ALL) && offers(&Deflate::new()));
    let takeover = |wishes: &Deflate| (wishes.context_takeover, wishes.peer_context_takeover);
    assert_eq!(takeover(&ALL), (true, true));
    let mine = ALL.with_context_takeover(false);
    assert_eq!(takeover(&mine), (false, true));
    let theirs = ALL.with_peer_context_takeover(false);
    assert_eq!(takeover(&theirs), (true, false));
    assert_eq!(Deflate::new(), Deflate::default());
    assert_eq!(Config::new().with_deflate(ALL).deflate, Some(ALL));
}

#[test]
fn servers_answer() {
    let full = &everything();
    let table: &[(&[&str], &Config, Option<&str>, Terms)] = &[
        (&[OFFER], full, Some(""), FULL),
        (&["permessage-deflate"], full, Some(""), FULL),
        (&["foo, bar; baz, permessage-deflate"], full, Some(""), FULL),
        (&["foo", "permessage-deflate", "bar"], full, Some(""), FULL),
        (&["Permessage-Deflate"], full, Some(""), FULL),
        (&[], full, None, FULL),
        (&["foo; bar=2"], full, None, FULL),
        (
            &["permessage-deflate2, x-webkit-deflate-frame"],
            full,
            None,
            FULL,
        ),
        (
            &["permessage-deflate; server_max_window_bits=\"10\""],
            full,
            Some("; server_max_window_bits=10"),
            (10, true, 15, true),
        ),
        (
            &["permessage-deflate; client_max_window_bits=\"9\""],
            full,
            Some("; client_max_window_bits=9"),
            (15, true, 9, true),
        ),
        (
            &["permessage-deflate; client_max_window_bits=8"],
            full,
            Some("; client_max_window_bits=8"),
            (15, true, 8, true),
        ),
        // The compressor has no window of 256 bytes; the next offer may do.
        (
            &["permessage-deflate; server_max_window_bits=8"],
            full,
            None,
            FULL,
        ),
        (
            &[
                "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9",
            ],
            full,
            Some("; server_max_window_bits=9"),
            (9, true, 15, true),
        ),
        (
            &[
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=12; client_max_window_bits=11",
            ],
            full,
            Some(
                "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=12; client_max_window_bits=11",
            ),
            (12, false, 11, false),
        ),
        // The server's own wishes.
        (
            &[OFFER],
            &wishes((10, false, 11, false)),
            Some(
                "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=11",
            ),
            (10, false, 11, false),
        ),
        (
            &["permessage-deflate"],
            &wishes((10, false, 15, false)),
            Some(
                "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10",
            ),
            (10, false, 15, false),
        ),
        (
            &["permessage-deflate"],
            &wishes((15, true, 14, true)),
            None,
            FULL,
        ),
        (
            &["permessage-deflate", OFFER],
            &wishes((15, true, 14, true)),
            Some("; client_max_window_bits=14"),
            (15, true, 14, true),
        ),
        // The smaller window of both.
        (
            &["permessage-deflate; server_max_window_bits=9; client_max_window_bits=14"],
            &wishes((12, true, 12, true)),
            Some("; server_max_window_bits=9; client_max_window_bits=12"),
            (9, true, 12, true),
        ),
        (
            &["permessage-deflate; server_max_window_bits=14; client_max_window_bits=9"],
            &wishes((12, true, 12, true)),
            Some("; server_max_window_bits=12; client_max_window_bits=9"),
            (12, true, 9, true),
        ),
    ];
    for (offers, config, answer, terms) in table {
        let what = format!("{offers:?}");
        let (connection, found) = serve(offers, config).unwrap();
        let answer = answer.map(|rest| format!("permessage-deflate{rest}"));
        assert_eq!(found, answer, "{what}");
        assert_eq!(connection.uses_deflate(), answer.is_some());
        if answer.is_some() {
            let connect = || serve(offers, config).unwrap().0;
            check_terms(Role::Server, connect, *terms, &what);
        } else {
            let frame = Frame::new(0xc1, "").encode(Role::Server);
            let error = run(connection, &frame, &[]).error;
            assert_eq!(error, Some(ProtocolError::ReservedBits), "{what}");
        }
    }
}

/// An offer that cannot be right is declined, and the next one looked at (section 5.1).
#[test]
fn servers_decline() {
    let table = [
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=99",
        "server_max_window_bits=010",
        "server_max_window_bits=0",
        "server_max_window_bits=1",
        "server_max_window_bits=-9",
        "server_max_window_bits=+9",
        "server_max_window_bits=9.0",
        "server_max_window_bits=0xa",
        "server_max_window_bits=x",
        "server_max_window_bits=100",
        "server_max_window_bits=18446744073709551625",
        "server_max_window_bits=\"16\"",
        "server_max_window_bits",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=99",
        "client_max_window_bits=010",
        "client_max_window_bits=\"7\"",
        "server_no_context_takeover=1",
        "server_no_context_takeover=true",
        "client_no_context_takeover=\"1\"",
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits",
        "client_max_window_bits; client_max_window_bits=10",
        "client_max_window_bits=10; client_max_window_bits",
        "unknown",
        "unknown=10",
        "client_max_window_bits; unknown",
        "Server_No_Context_Takeover",
        "server_max_window_bit=10",
    ];
    for parameters in table {
        let wrong = format!("permessage-deflate; {parameters}");
        let (connection, answer) = serve(&[&wrong], &everything()).unwrap();
        assert_eq!(answer, None, "{wrong}");
        assert!(!connection.uses_deflate());
        for offers in [
            &[&wrong[..], "permessage-deflate; server_max_window_bits=11"][..],
            &[&format!(
                "{wrong}, permessage-deflate; server_max_window_bits=11"
            )],
            &[&format!(
                "{wrong}, foo, permessage-deflate; server_max_window_bits=11, permessage-deflate"
            )],
        ] {
            let (_, answer) = serve(offers, &everything()).unwrap();
            let right = "permessage-deflate; server_max_window_bits=11";
            assert_eq!(answer.as_deref(), Some(right), "{offers:?}");
        }
        // A client is told the same and fails (section 5.1).
        let client = ask(&[&wrong], &everything()).0;
        let error = client.unwrap_err();
        assert_eq!(error, ResponseError::ExtensionParameters, "{wrong}");
    }
}

/// RFC 6455 section 9.1: a header that does not fit the grammar fails the handshake.
#[test]
fn malformed_headers() {
    for header in [
        "permessage-deflate;",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\"10",
        "permessage-deflate; server_max_window_bits=10\"",
        "permessage-deflate; server_max_window_bits=\"1 0\"",
        "permessage-deflate; =10",
        "permessage-deflate server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits==10",
        "; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits, ;",
    ] {
        for headers in [&[header][..], &[OFFER, header], &[header, OFFER]] {
            let error = serve(headers, &everything()).unwrap_err();
            assert_eq!(error, RequestError::Extensions, "{header}");
            assert_eq!(error.status(), 400);
            let error = ask(headers, &everything()).0.unwrap_err();
            assert_eq!(error, ResponseError::MalformedExtensions, "{header}");
        }
    }
}

/// RFC 9110 sections 5.3 and 5.6.1.2: all lines are one list, and an empty element is ignored; only a list without an
/// element is malformed (RFC 6455 section 9.1).
#[test]
fn an_empty_line_is_an_empty_element() {
    const NAME: &str = "permessage-deflate";
    for empty in ["", ",", " ,\t,"] {
        for headers in [&[NAME, empty][..], &[empty, NAME], &[empty, NAME, empty]] {
            let (connection, answer) = serve(headers, &everything()).unwrap();
            assert!(connection.uses_deflate(), "{headers:?}");
            assert_eq!(answer.as_deref(), Some(NAME), "{headers:?}");
            let client = ask(headers, &everything()).0.unwrap();
            assert!(client.uses_deflate(), "{headers:?}");
        }
        for headers in [&[empty][..], &[empty, empty]] {
            let error = serve(headers, &everything()).unwrap_err();
            assert_eq!(error, RequestError::Extensions, "{headers:?}");
            let error = ask(headers, &everything()).0.unwrap_err();
            assert_eq!(error, ResponseError::MalformedExtensions, "{headers:?}");
        }
    }
}

#[test]
fn clients_agree() {
    let full = &everything();
    let table = [
        ("", full, FULL),
        (
            "; server_max_window_bits=\"10\"",
            full,
            (15, true, 10, true),
        ),
        // What a server does on its own account needs no offer (sections 7.1.1.1 and 7.1.2.1).
        ("; server_no_context_takeover", full, (15, true, 15, false)),
        ("; client_no_context_takeover", full, (15, false, 15, true)),
        ("; server_max_window_bits=8", full, (15, true, 8, true)),
        ("; server_max_window_bits=15", full, FULL),
        ("; client_max_window_bits=15", full, FULL),
        ("; client_max_window_bits=9", full, (9, true, 15, true)),
        ("; client_max_window_bits=8", full, (8, true, 15, true)),
        (
            "; client_max_window_bits=11; server_max_window_bits=12; client_no_context_takeover; \
             server_no_context_takeover",
            full,
            (11, false, 12, false),
        ),
        // What the client wished for itself holds, whatever the server says.
        ("", &wishes((10, false, 15, true)), (10, false, 15, true)),
        (
            "; client_max_window_bits=9",
            &wishes((10, false, 15, true)),
            (9, false, 15, true),
        ),
        (
            "; server_no_context_takeover; server_max_window_bits=11",
            &wishes((15, true, 11, false)),
            (15, true, 11, false),
        ),
        (
            "; server_no_context_takeover; server_max_window_bits=9",
            &wishes((15, true, 11, false)),
            (15, true, 9, false),
        ),
    ];
    for (rest, config, terms) in table {
        let answer = format!("permessage-deflate{rest}");
        let connect = || {
            let connection = ask(&[&answer], config).0.unwrap();
            assert!(connection.uses_deflate());
            connection
        };
        check_terms(Role::Client, connect, terms, &answer);
    }
    // A server may leave the extension out.
    for config in [everything(), wishes((9, false, 9, false))] {
        let connection = ask(&[], &config).0.unwrap();
        assert!(!connection.uses_deflate());
    }
}

/// Some servers reject an offer of `client_max_window_bits`.
#[test]
fn a_client_may_leave_the_limit_of_its_window_out() {
    let bare = |terms| {
        let mut config = wishes(terms);
        config
            .deflate
            .as_mut()
            .unwrap()
            .offer_client_max_window_bits = false;
        config
    };
    for (terms, offer) in [
        (FULL, "permessage-deflate"),
        // A server need not know that a window is smaller than it may be (RFC 7692 section 7.1.2.2).
        ((9, true, 15, true), "permessage-deflate"),
        (
            (10, false, 12, false),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=12",
        ),
    ] {
        let (_, found) = ask(&[], &bare(terms));
        assert_eq!(found.as_deref(), Some(offer));
        // The server agrees to that, and the client keeps to its own wishes.
        let (server, answer) = serve(&[offer], &everything()).unwrap();
        assert!(server.uses_deflate(), "{offer}");
        let answer = answer.unwrap();
        let connect = || {
            let connection = ask(&[&answer], &bare(terms)).0.unwrap();
            assert!(connection.uses_deflate(), "{answer}");
            connection
        };
        check_terms(Role::Client, connect, terms, &answer);
    }
    // What was not offered may not be in the answer, whatever its value.
    for bits in ["", "=15", "=9", "=8"] {
        let answer = format!("permessage-deflate; client_max_window_bits{bits}");
        let error = ask(&[&answer], &bare(FULL)).0.unwrap_err();
        assert_eq!(error, ResponseError::ExtensionParameters, "{answer}");
    }
    // A server that wants a smaller window declines.
    let server = wishes((15, true, 14, true));
    let mut pair = pair(&server, &bare(FULL));
    for role in Role::BOTH {
        assert!(!pair.peer(role).connection.uses_deflate());
    }
    // A server of this library does not use the field.
    assert_eq!(
        serve(&[OFFER], &bare(FULL)).unwrap().1,
        serve(&[OFFER], &wishes(FULL)).unwrap().1
    );
}

#[test]
fn clients_refuse() {
    use ResponseError::{ExtensionNotOffered, ExtensionParameters};
    let full = &everything();
    let small = &wishes((10, true, 11, false));
    let table: &[(&[&str], &Config, ResponseError)] = &[
        (&["foo"], full, ExtensionNotOffered),
        (&["permessage-deflate, foo"], full, ExtensionNotOffered),
        (
            &["permessage-deflate, permessage-deflate"],
            full,
            ExtensionNotOffered,
        ),
        (
            &["permessage-deflate", "permessage-deflate"],
            full,
            ExtensionNotOffered,
        ),
        (
            &["permessage-deflate; client_max_window_bits"],
            full,
            ExtensionParameters,
        ),
        (
            &["permessage-deflate; client_max_window_bits=16"],
            full,
            ExtensionParameters,
        ),
        // Not what was offered: a larger window, or takeover.
        (&["permessage-deflate"], small, ExtensionParameters),
        (
            &["permessage-deflate; server_no_context_takeover"],
            small,
            ExtensionParameters,
        ),
        (
            &["permessage-deflate; server_max_window_bits=11"],
            small,
            ExtensionParameters,
        ),
        (
            &["permessage-deflate; server_no_context_takeover; server_max_window_bits=12"],
            small,
            ExtensionParameters,
        ),
        (
            &[
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=11; \
                 client_max_window_bits=11",
            ],
            small,
            ExtensionParameters,
        ),
        // Not offered at all.
        (
            &["permessage-deflate"],
            &Config::default(),
            ExtensionNotOffered,
        ),
        (&["foo"], &Config::default(), ExtensionNotOffered),
    ];
    for (answers, config, expected) in table {
        let error = ask(answers, config).0.unwrap_err();
        assert_eq!(error, *expected, "{answers:?}");
    }
    let answer = "permessage-deflate; server_no_context_takeover; server_max_window_bits=11";
    assert!(ask(&[answer], small).0.is_ok());
}

/// Whatever two of this library wish, they agree on the less of both, and keep to it.
#[test]
fn both_sides_agree() {
    let all = [
        FULL,
        (9, true, 15, true),
        (15, true, 9, true),
        (12, false, 10, true),
        (10, true, 12, false),
        // Beyond the range.
        (0, true, 255, true),
    ];
    for server in all {
        for client in all {
            let what = format!("{server:?} {client:?}");
            let clamp = |terms: Terms| (terms.0.clamp(9, 15), terms.2.clamp(9, 15));
            let (s, c) = (clamp(server), clamp(client));
            let from_server = (s.0.min(c.1), server.1 && client.3);
            let from_client = (c.0.min(s.1), client.1 && server.3);
            let mut pair = pair(&wishes(server), &wishes(client));
            for (role, (bits, takeover)) in
                [(Role::Server, from_server), (Role::Client, from_client)]
            {
                assert!(pair.peer(role).connection.uses_deflate(), "{what}");
                check_sent(&mut pair.peer(role).connection, bits, takeover, &what);
            }
        }
    }
}
