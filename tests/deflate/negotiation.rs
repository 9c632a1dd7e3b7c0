//! The negotiation (RFC 7692, sections 5 and 7.1), and whether both sides keep to its result.

use sockless::handshake::{RequestError, ResponseError};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role, encode};
use sockless::{Config, Connection, Deflate, ProtocolError, ReadBuffer};

use super::reference::inflate;
use super::support::hex;
use super::{
    OFFER, ask, everything, noise, pair, repeat, repetitions, run, sent, serve, stored, take_frame,
    with,
};

const NAME: &str = "permessage-deflate";

/// The window bits and the context takeover of one side, then those of its peer.
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

/// The extension with these parameters, if there are any.
fn extension(parameters: &str) -> String {
    if parameters.is_empty() {
        NAME.into()
    } else {
        format!("{NAME}; {parameters}")
    }
}

/// The answer of a server with these terms.
fn answer(terms: Terms) -> String {
    let (bits, takeover, peer_bits, peer_takeover) = terms;
    let mut answer = NAME.to_owned();
    if !takeover {
        answer += "; server_no_context_takeover";
    }
    if !peer_takeover {
        answer += "; client_no_context_takeover";
    }
    if bits < 15 {
        answer.extend(["; server_max_window_bits=", &bits.to_string()]);
    }
    if peer_bits < 15 {
        answer.extend(["; client_max_window_bits=", &peer_bits.to_string()]);
    }
    answer
}

/// Tests what a connection with these terms sends and accepts.
fn check_terms(role: Role, connect: impl Fn() -> Connection, terms: Terms, what: &str) {
    let (bits, takeover, peer_bits, peer_takeover) = terms;
    check_sent(&mut connect(), bits, takeover, what);
    check_received(role, connect, peer_bits, peer_takeover, what);
}

/// The messages of the connection use the window, and no more than the window.
fn check_sent(connection: &mut Connection, bits: u8, takeover: bool, what: &str) {
    assert!(connection.uses_deflate(), "{what}");
    let data = repetitions(15.min(bits + 1));
    let end = noise(150, 78);
    let mut before = Vec::new();
    for message in [&data, &end, &end] {
        connection.send_binary(message).unwrap();
        let (first, payload) = take_frame(connection);
        if bits == 8 {
            // The compressor has no window of 256 bytes.
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
            // The second copy of the noise refers to the first one if it may.
            let refers = takeover && !before.ends_with(&data);
            assert_eq!(inflated.reach > 0, refers, "{what}");
        }
        before.extend(inflated.data);
    }
    if bits == 8 {
        connection.send_text_fragment("Hello", false).unwrap();
        connection.send_text_fragment("", true).unwrap();
        let frames = sent(connection.output());
        assert_eq!(frames, [(0x01, b"Hello".to_vec()), (0x80, vec![])]);
    }
}

/// The connection understands references over the whole window, also after a block with BFINAL. Without takeover it
/// refuses references to earlier messages, and accepts those inside a message.
fn check_received(
    role: Role,
    connect: impl Fn() -> Connection,
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
        let twice = hex("f3 48 cd c9 c9 07 00 f2 00 11 00 00");
        let frames = [Frame::new(0xc2, &first), Frame::new(0xc1, twice)];
        let outcome = run(connect(), &encode(&frames, role), &[]);
        assert!(outcome.events[1..] == [OwnedEvent::text("HelloHello")]);
        first.extend([0, 0, 0xff, 0xff, 0x03, 0x00, 0x00]);
    }
}

#[test]
fn only_a_side_with_the_option_offers_or_accepts_the_extension() {
    assert_eq!(ask(&[], &with(Deflate::default())).1.unwrap(), OFFER);
    assert_eq!(ask(&[], &everything()).1.unwrap(), OFFER);
    assert_eq!(ask(&[], &Config::default()).1, None);
    let (connection, answer) = serve(&[OFFER], &Config::default()).unwrap();
    assert_eq!((connection.uses_deflate(), answer), (false, None));
}

/// Each method sets the field of its name and no other.
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
    let check = |offers: &[&str], config: &Config, terms: Terms| {
        let what = format!("{offers:?}");
        let (_, found) = serve(offers, config).unwrap();
        assert_eq!(found, Some(answer(terms)), "{what}");
        let connect = || serve(offers, config).unwrap().0;
        check_terms(Role::Server, connect, terms, &what);
    };
    for offers in [
        &[OFFER][..],
        &["foo, bar; baz, permessage-deflate"],
        &["foo", NAME, "bar"],
        &["Permessage-Deflate"],
    ] {
        check(offers, &everything(), FULL);
    }
    let all = "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; \
               client_max_window_bits=11";
    // The parameters of the offer, the wishes of the server, and the terms.
    for (offer, wished, terms) in [
        ("", FULL, FULL),
        ("server_max_window_bits=\"10\"", FULL, (10, true, 15, true)),
        ("client_max_window_bits=\"9\"", FULL, (15, true, 9, true)),
        ("client_max_window_bits=8", FULL, (15, true, 8, true)),
        (all, FULL, (12, false, 11, false)),
        // The server has wishes.
        (
            "client_max_window_bits",
            (10, false, 11, false),
            (10, false, 11, false),
        ),
        ("", (10, false, 15, false), (10, false, 15, false)),
        // The smaller window counts.
        (
            "server_max_window_bits=9; client_max_window_bits=14",
            (12, true, 12, true),
            (9, true, 12, true),
        ),
        (
            "server_max_window_bits=14; client_max_window_bits=9",
            (12, true, 12, true),
            (12, true, 9, true),
        ),
    ] {
        check(&[&extension(offer)], &wishes(wished), terms);
    }
    // The server declines the first offer: it has no window of 256 bytes, or wants a smaller window than it may ask
    // for.
    let first_declined = "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9";
    check(&[first_declined], &everything(), (9, true, 15, true));
    let small = (15, true, 14, true);
    check(&[NAME, OFFER], &wishes(small), small);
}

#[test]
fn a_server_that_declines_knows_no_extension() {
    for (offers, wished) in [
        (&[][..], FULL),
        (&["foo; bar=2"], FULL),
        (&["permessage-deflate2, x-webkit-deflate-frame"], FULL),
        (&["permessage-deflate; server_max_window_bits=8"], FULL),
        (&[NAME], (15, true, 14, true)),
    ] {
        let (connection, answer) = serve(offers, &wishes(wished)).unwrap();
        assert_eq!((answer, connection.uses_deflate()), (None, false));
        let frame = Frame::new(0xc1, "").encode(Role::Server);
        let error = run(connection, &frame, &[]).error;
        assert_eq!(error, Some(ProtocolError::ReservedBits), "{offers:?}");
    }
}

/// RFC 7692, section 5.1: a server declines an invalid offer and looks at the next one. A client fails.
#[test]
fn invalid_parameters() {
    for parameters in [
        "server_max_window_bits=010",
        "server_max_window_bits",
        "client_max_window_bits=7",
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
    ] {
        let wrong = extension(parameters);
        let right = "permessage-deflate; server_max_window_bits=11";
        for (offers, expected) in [
            (&[&*wrong][..], None),
            (&[&wrong, right], Some(right)),
            (&[&format!("{wrong}, {right}")], Some(right)),
            (&[&format!("{wrong}, foo, {right}, {NAME}")], Some(right)),
        ] {
            let (connection, answer) = serve(offers, &everything()).unwrap();
            assert_eq!(answer.as_deref(), expected, "{offers:?}");
            assert_eq!(connection.uses_deflate(), expected.is_some());
        }
        let error = ask(&[&wrong], &everything()).0.unwrap_err();
        assert_eq!(error, ResponseError::ExtensionParameters, "{wrong}");
    }
}

/// CVE-2026-2229: another library gave window bits from the header to a codec, which panicked. sockless accepts only 8
/// to 15, in one spelling.
#[test]
fn window_bits_are_checked_before_a_codec_sees_them() {
    let odd = "08 09 010 015 0x9 0xa +9 -9 9.0 1e1 9a x -0 \"7\" \"16\" \"010\" 65545 4294967305 18446744073709551625";
    let works = |role, connection| {
        let mut peer = Peer::with(connection, ReadBuffer::new());
        peer.receive(&Frame::new(0xc1, hex("f2 48 cd c9 c9 07 00")).encode(role));
        assert_eq!(peer.events(), [OwnedEvent::text("Hello")]);
        peer.connection.send_text("Hello").unwrap();
        take_frame(&mut peer.connection);
    };
    let numbers = (0..=300).map(|bits| bits.to_string());
    for value in numbers.chain(odd.split(' ').map(String::from)) {
        let valid = (8..=15).any(|bits: u8| bits.to_string() == value);
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            let parameters = extension(&format!("{name}={value}"));
            // No compressor has a window of 256 bytes, but a decompressor has.
            let accepts = valid && (name.starts_with("client") || value != "8");
            let (server, _) = serve(&[&parameters], &everything()).unwrap();
            assert_eq!(server.uses_deflate(), accepts, "{parameters}");
            if accepts {
                works(Role::Server, server);
            }
            match ask(&[&parameters], &everything()).0 {
                Ok(client) => {
                    assert!(valid && client.uses_deflate(), "{parameters}");
                    works(Role::Client, client);
                }
                Err(error) => {
                    assert!(!valid, "{parameters}");
                    assert_eq!(error, ResponseError::ExtensionParameters);
                }
            }
        }
    }
    // Wishes beyond the range count as the nearest.
    for bits in 0..=u8::MAX {
        let (server, _) = serve(&[OFFER], &wishes((bits, true, bits, true))).unwrap();
        assert!(server.uses_deflate(), "{bits}");
        works(Role::Server, server);
    }
}

/// RFC 6455, section 9.1: a header outside the grammar fails the handshake.
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
            assert_malformed(headers);
        }
    }
}

fn assert_malformed(headers: &[&str]) {
    let error = serve(headers, &everything()).unwrap_err();
    assert_eq!(error, RequestError::Extensions, "{headers:?}");
    assert_eq!(error.status(), 400);
    let error = ask(headers, &everything()).0.unwrap_err();
    assert_eq!(error, ResponseError::MalformedExtensions, "{headers:?}");
}

/// RFC 9110, sections 5.3 and 5.6.1.2: all lines are one list, and empty elements are ignored. A list without any
/// element is malformed (RFC 6455, section 9.1).
#[test]
fn an_empty_line_is_an_empty_element() {
    for empty in ["", ",", " ,\t,"] {
        for headers in [&[NAME, empty][..], &[empty, NAME], &[empty, NAME, empty]] {
            let (connection, answer) = serve(headers, &everything()).unwrap();
            assert!(connection.uses_deflate(), "{headers:?}");
            assert_eq!(answer.as_deref(), Some(NAME), "{headers:?}");
            let client = ask(headers, &everything()).0.unwrap();
            assert!(client.uses_deflate(), "{headers:?}");
        }
        assert_malformed(&[empty]);
        assert_malformed(&[empty, empty]);
    }
}

#[test]
fn clients_agree() {
    let (small, narrow) = ((10, false, 15, true), (15, true, 11, false));
    let all = "client_max_window_bits=11; server_max_window_bits=12; client_no_context_takeover; \
               server_no_context_takeover";
    // The parameters of the answer, the wishes of the client, and the terms.
    for (parameters, wished, terms) in [
        ("", FULL, FULL),
        ("server_max_window_bits=\"10\"", FULL, (15, true, 10, true)),
        // A server may limit itself without an offer (RFC 7692, sections 7.1.1.1 and 7.1.2.1).
        ("server_no_context_takeover", FULL, (15, true, 15, false)),
        ("client_no_context_takeover", FULL, (15, false, 15, true)),
        ("server_max_window_bits=8", FULL, (15, true, 8, true)),
        ("server_max_window_bits=15", FULL, FULL),
        ("client_max_window_bits=15", FULL, FULL),
        ("client_max_window_bits=9", FULL, (9, true, 15, true)),
        ("client_max_window_bits=8", FULL, (8, true, 15, true)),
        (all, FULL, (11, false, 12, false)),
        // The client keeps to its wishes for itself, whatever the answer.
        ("", small, small),
        ("client_max_window_bits=9", small, (9, false, 15, true)),
        (
            "server_no_context_takeover; server_max_window_bits=11",
            narrow,
            narrow,
        ),
        (
            "server_no_context_takeover; server_max_window_bits=9",
            narrow,
            (15, true, 9, false),
        ),
    ] {
        let answer = extension(parameters);
        let connect = || ask(&[&answer], &wishes(wished)).0.unwrap();
        check_terms(Role::Client, connect, terms, &answer);
    }
    // A server may decline.
    for config in [everything(), wishes((9, false, 9, false))] {
        let connection = ask(&[], &config).0.unwrap();
        assert!(!connection.uses_deflate());
    }
}

/// Some servers reject an offer of `client_max_window_bits`.
#[test]
fn a_client_may_leave_the_limit_of_its_window_out() {
    let bare = |terms| {
        let config = wishes(terms);
        let deflate = config.deflate.unwrap();
        with(deflate.with_offer_client_max_window_bits(false))
    };
    let all = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
               server_max_window_bits=12";
    for (terms, offer) in [
        (FULL, NAME),
        // A client need not announce that its window is smaller (RFC 7692, section 7.1.2.2).
        ((9, true, 15, true), NAME),
        ((10, false, 12, false), all),
    ] {
        let (_, found) = ask(&[], &bare(terms));
        assert_eq!(found.as_deref(), Some(offer));
        let (server, answer) = serve(&[offer], &everything()).unwrap();
        assert!(server.uses_deflate(), "{offer}");
        let answer = answer.unwrap();
        let connect = || ask(&[&answer], &bare(terms)).0.unwrap();
        check_terms(Role::Client, connect, terms, &answer);
    }
    // A parameter that was not offered is invalid in the answer, with any value.
    for bits in ["", "=15", "=9", "=8"] {
        let answer = format!("permessage-deflate; client_max_window_bits{bits}");
        let error = ask(&[&answer], &bare(FULL)).0.unwrap_err();
        assert_eq!(error, ResponseError::ExtensionParameters, "{answer}");
    }
    // A server that wants a smaller window declines.
    let mut pair = pair(&wishes((15, true, 14, true)), &bare(FULL));
    for role in Role::BOTH {
        assert!(!pair.peer(role).connection.uses_deflate());
    }
    // A server ignores the field.
    let answer = |config| serve(&[OFFER], config).unwrap().1;
    assert_eq!(answer(&bare(FULL)), answer(&wishes(FULL)));
}

#[test]
fn clients_refuse() {
    for (answers, config) in [
        (&["foo"][..], everything()),
        (&["permessage-deflate, foo"], everything()),
        (&["permessage-deflate, permessage-deflate"], everything()),
        (&[NAME, NAME], everything()),
        (&[NAME], Config::default()),
        (&["foo"], Config::default()),
    ] {
        let error = ask(answers, &config).0.unwrap_err();
        assert_eq!(error, ResponseError::ExtensionNotOffered, "{answers:?}");
    }
    // The client offers a limit of its window without a value. It asks for a small window and no takeover of the
    // server.
    let small = (10, true, 11, false);
    let no_takeover = "server_no_context_takeover; server_max_window_bits";
    for (parameters, wished) in [
        ("client_max_window_bits", FULL),
        ("client_max_window_bits=16", FULL),
        ("", small),
        ("server_no_context_takeover", small),
        ("server_max_window_bits=11", small),
        (&format!("{no_takeover}=12"), small),
        (
            &format!("{no_takeover}=11; client_max_window_bits=11"),
            small,
        ),
    ] {
        let answer = extension(parameters);
        let error = ask(&[&answer], &wishes(wished)).0.unwrap_err();
        assert_eq!(error, ResponseError::ExtensionParameters, "{answer}");
    }
    let answer = extension(&format!("{no_takeover}=11"));
    assert!(ask(&[&answer], &wishes(small)).0.is_ok());
}

/// Both sides agree on the smaller window, and on context takeover only if both want it.
#[test]
fn both_sides_agree() {
    let all = [
        FULL,
        (9, true, 15, true),
        (15, true, 9, true),
        (12, false, 10, true),
        (10, true, 12, false),
        (13, true, 11, true),
        (11, true, 14, true),
        (14, true, 13, true),
        // Out of range.
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
                check_sent(&mut pair.peer(role).connection, bits, takeover, &what);
            }
        }
    }
}
