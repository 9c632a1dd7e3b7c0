//! Incidents of compression: what a few bytes may inflate to, and which windows a codec is asked for.

use sockless::handshake::{
    ClientHandshake, ClientOptions, ResponseError, ServerHandshake, ServerOptions, Uri,
};
use sockless::test_util::{Frame, OwnedEvent, Peer, Role};
use sockless::{Config, Connection, Deflate, Delivery, ProtocolError, ReadBuffer, Seed};

use super::heap::{NOTHING, measure};
use super::{buffer, frame_headers, request, response};

fn config() -> Config {
    Config::new().with_deflate(Deflate::new().with_min_size(0))
}

/// A server that was offered this.
fn serve(offer: &str, config: &Config) -> Connection {
    let head = request(&format!("Sec-WebSocket-Extensions: {offer}\r\n"));
    let mut buffer = buffer(head.as_bytes());
    let options = ServerOptions::new().with_config(config.clone());
    let request = ServerHandshake::new(config)
        .read_request(&mut buffer)
        .unwrap()
        .unwrap();
    let mut connection = request.accept(&options).unwrap();
    connection.advance_output(connection.output().len());
    connection
}

/// A client that was answered this.
fn ask(answer: &str, config: &Config) -> Result<Connection, ResponseError> {
    let uri = Uri::parse("ws://a").unwrap();
    let options = ClientOptions::new().with_config(config.clone());
    let mut client = ClientHandshake::new(&uri, &options, Seed::new([1; 32])).unwrap();
    let head = response(&client, &format!("Sec-WebSocket-Extensions: {answer}\r\n"));
    let mut buffer = buffer(head.as_bytes());
    let opened = client.read_response(&mut buffer)?;
    let (_, connection) = opened.expect("the head is whole");
    Ok(connection.expect("accepted"))
}

fn agreed(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => serve("permessage-deflate", config),
        Role::Client => ask("permessage-deflate", config).unwrap(),
    }
}

/// What a server of ours makes of the data.
fn compressed(data: &[u8]) -> Vec<u8> {
    let mut server = agreed(Role::Server, &config());
    server.send_binary(data).unwrap();
    let headers = frame_headers(server.output());
    assert_eq!((headers.len(), headers[0].rsv), (1, 4));
    let size = usize::try_from(headers[0].payload_length).unwrap();
    server.output()[server.output().len() - size..].to_vec()
}

/// CVE-2018-1000518, CVE-2026-1526: a small message was inflated whole before anybody asked how large it had
/// become. Here the limit is inside the loop: it lets the last byte pass and not one more, and no more than
/// it is ever stored.
#[test]
fn a_bomb_is_stopped_at_the_limit() {
    const N: usize = 4 << 20;
    let codec = 256 << 10;
    for (size, passes) in [(N, true), (N + 1, false), (64 << 20, false)] {
        let bomb = compressed(&vec![0; size]);
        assert!(bomb.len() <= size / 1000);
        let half = bomb.len() / 2;
        for role in Role::BOTH {
            for delivery in [Delivery::Messages, Delivery::Chunks] {
                for frames in [
                    vec![Frame::new(0xc2, &bomb)],
                    vec![
                        Frame::new(0x42, &bomb[..half]),
                        Frame::new(0x80, &bomb[half..]),
                    ],
                ] {
                    let config = config()
                        .with_max_message_size(N as u64)
                        .with_delivery(delivery);
                    let bytes = sockless::test_util::encode(&frames, role);
                    let mut connection = agreed(role, &config);
                    let mut buffer = ReadBuffer::new();
                    let ((received, error), heap) = measure(|| {
                        buffer.extend_from_slice(&bytes);
                        let mut received = 0;
                        loop {
                            match connection.next_event(&mut buffer) {
                                Ok(Some(sockless::Event::Binary { data, .. })) => {
                                    received += data.len();
                                }
                                Ok(None) => return (received, None),
                                Err(error) => return (received, Some(error)),
                                Ok(Some(event)) => panic!("{event:?}"),
                            }
                        }
                    });
                    let what = format!("{size} {role:?} {delivery:?}");
                    let whole = if delivery == Delivery::Messages { N } else { 0 };
                    let most = whole + codec + 2 * bytes.len();
                    assert!(heap.peak <= most as isize, "{what}: {heap:?}");
                    if passes {
                        assert_eq!((received, error), (N, None), "{what}");
                    } else {
                        assert_eq!(error, Some(ProtocolError::MessageTooLarge), "{what}");
                        assert!(received <= N, "{what}");
                        let code = connection.output().len();
                        let mut peer = Peer::new(role.other(), &Config::default());
                        peer.receive(connection.output());
                        let told = peer.events();
                        assert_eq!(told.len(), 1, "{what}: {code}");
                        assert!(matches!(told[0], OwnedEvent::Close(1009, _)), "{what}");
                    }
                }
            }
        }
    }
}

/// RUSTSEC-2026-0258 again, for fragments of a compressed message.
#[test]
fn empty_fragments_of_a_compressed_message_cost_nothing() {
    for role in Role::BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            let config = config().with_delivery(delivery);
            let mut connection = agreed(role, &config);
            let mut buffer = ReadBuffer::with_capacity(4096);
            let begin = Frame::new(0x41, [0xf2, 0x48, 0xcd]).encode(role);
            let empty = Frame::new(0x00, "").encode(role).repeat(100);
            let mut receive = |bytes: &[u8]| {
                buffer.extend_from_slice(bytes);
                while connection.next_event(&mut buffer).expect("legal").is_some() {}
            };
            receive(&begin);
            // Makes room for what it could inflate to, once.
            receive(&empty);
            let ((), heap) = measure(|| (0..1000).for_each(|_| receive(&empty)));
            assert_eq!(heap, NOTHING);
        }
    }
}

/// As long as nothing of a compressed message has come, there is no decompressor for it.
#[test]
fn a_compressed_message_without_payload_costs_nothing() {
    for role in Role::BOTH {
        for delivery in [Delivery::Messages, Delivery::Chunks] {
            let config = config().with_delivery(delivery);
            let mut connection = agreed(role, &config);
            let mut buffer = ReadBuffer::with_capacity(4096);
            let begin = Frame::new(0x41, "").encode(role);
            let empty = Frame::new(0x00, "").encode(role);
            let mut receive = |bytes: &[u8]| {
                buffer.extend_from_slice(bytes);
                while connection.next_event(&mut buffer).expect("legal").is_some() {}
            };
            let ((), heap) = measure(|| receive(&begin));
            // Where it would be put together, and no more.
            assert!(heap.kept <= 1024, "{heap:?}");
            let ((), heap) = measure(|| receive(&empty));
            assert_eq!(heap, NOTHING);
        }
    }
}

/// CVE-2026-2229: window bits went from the header straight into a codec, which panicked. Here only 8 to 15, in
/// one spelling, are numbers; what is agreed on works, and anything else is declined or refused.
#[test]
fn window_bits_are_judged_before_a_codec_sees_them() {
    let mut values: Vec<String> = (0..=300).map(|bits| bits.to_string()).collect();
    let odd = [
        "08",
        "09",
        "010",
        "015",
        "0x9",
        "+9",
        "-9",
        "9.0",
        "1e1",
        "9a",
        "4294967305",
        "18446744073709551625",
        "\"7\"",
        "\"16\"",
        "\"010\"",
    ];
    values.extend(odd.map(String::from));
    for name in ["server_max_window_bits", "client_max_window_bits"] {
        for value in &values {
            let parameters = format!("permessage-deflate; {name}={value}");
            let bits = value
                .parse::<u8>()
                .ok()
                .filter(|bits| (8..=15).contains(bits));
            let right = bits.is_some_and(|bits| bits.to_string() == *value);

            // Of a window of 256 bytes, which no compressor here has, only the peer's is accepted.
            let server = serve(&parameters, &config());
            let mine = name.starts_with("server") && value == "8";
            assert_eq!(server.uses_deflate(), right && !mine, "{parameters}");
            let client = ask(&parameters, &config());
            match client {
                Ok(client) => {
                    assert!(right && client.uses_deflate(), "{parameters}");
                    works(Role::Client, client);
                }
                Err(error) => {
                    assert!(!right, "{parameters}");
                    assert_eq!(error, ResponseError::ExtensionParameters);
                }
            }
            if right && !mine {
                works(Role::Server, server);
            }
        }
    }
    // The application's own wishes are put into the range.
    for bits in 0..=u8::MAX {
        let mut config = config();
        let deflate = config.deflate.as_mut().unwrap();
        (deflate.max_window_bits, deflate.peer_max_window_bits) = (bits, bits);
        let offer = "permessage-deflate; client_max_window_bits";
        let server = serve(offer, &config);
        assert!(server.uses_deflate(), "{bits}");
        works(Role::Server, server);
    }
}

/// It receives a compressed message, and sends one.
fn works(role: Role, connection: Connection) {
    let mut peer = Peer::with(connection, ReadBuffer::new());
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    peer.receive(&Frame::new(0xc1, hello).encode(role));
    assert_eq!(peer.events(), [OwnedEvent::text("Hello")]);
    peer.connection.send_text("Hello").unwrap();
    assert_eq!(frame_headers(peer.connection.output()).len(), 1);
}
