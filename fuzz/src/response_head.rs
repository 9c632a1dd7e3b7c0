//! A client that reads a response from any bytes, however they are cut.
//!
//! The client always sends the same key, so a seed can hold the right answer to it.

use std::time::Duration;

use sockless::handshake::{ClientHandshake, ClientOptions, ResponseError};
use sockless::{Deadlines, Deflate, ReadBuffer};

use crate::head::{self, Clock, Handshake, Outcome, after_head};
use crate::input::Input;
use crate::opening;

const OFFERED: [&str; 2] = ["chat", "superchat"];

/// What the response says.
#[derive(Debug, PartialEq, Eq)]
enum Response {
    /// The subprotocol, and whether the connection compresses.
    Established(Option<String>, bool),
    /// The status and the number of headers.
    Refused(u16, usize),
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = Input::parse(data) else {
        return;
    };
    let bytes = input.bytes;
    let whole = read(&input, Clock::Unused, &[]);
    let places = input.places(bytes.len());
    assert_eq!(read(&input, Clock::Unused, &places), whole);
    assert_eq!(read(&input, Clock::Runs, &places), whole);
    // The deadline sees new bytes by the number of unread bytes. A skipped interim response can hide them.
    if !begins_interim(bytes) {
        assert_eq!(read(&input, Clock::Late, &places), whole);
    }
    if let Outcome::Read(_, rest) = whole {
        let mut response = bytes;
        while begins_interim(response) {
            response = after_head(response).expect("the response came after it");
        }
        assert_eq!(Some(&rest[..]), after_head(response), "left as it came");
    }
}

/// Whether the first response is interim. Such responses come before the final one (RFC 9110, section 15.2).
fn begins_interim(bytes: &[u8]) -> bool {
    let status = bytes.get(8..).unwrap_or_default();
    status.starts_with(b" 1") && !status.starts_with(b" 101")
}

/// Choice 0 offers compression, choice 1 sets small limits.
fn read(input: &Input<'_>, clock: Clock, places: &[usize]) -> Outcome<Response, ResponseError> {
    let mut options = ClientOptions::new().with_subprotocols(&OFFERED);
    options.config.deflate = input.chooses(0).then(Deflate::new);
    if input.chooses(1) {
        options.config.max_head_size = 200;
        options.config.max_headers = 5;
    }
    if clock != Clock::Unused {
        options.config.deadlines = Some(Deadlines::new());
    }
    let mut reader = Reader {
        handshake: opening::client(&options).expect("the options are legal"),
        offers_deflate: input.chooses(0),
    };
    head::read(&mut reader, clock, input.bytes, places)
}

struct Reader {
    handshake: ClientHandshake,
    offers_deflate: bool,
}

impl Handshake for Reader {
    type Head = Response;
    type Error = ResponseError;
    const TIMEOUT: ResponseError = ResponseError::Timeout;
    const HEAD: &'static [u8] = b"HTTP/1.1 404 Not Found\r\n\r\n";

    fn read(&mut self, buffer: &mut ReadBuffer) -> Result<Option<Response>, ResponseError> {
        let Some((response, connection)) = self.handshake.read_response(buffer)? else {
            return Ok(None);
        };
        let Some(connection) = connection else {
            assert!((200..1000).contains(&response.status()));
            let refused = Response::Refused(response.status(), response.headers().len());
            let body = response.body().to_vec();
            assert_eq!(body, buffer.unread());
            return Ok(Some(refused));
        };
        assert!(connection.can_send() && connection.output().is_empty());
        let subprotocol = response.subprotocol();
        assert!(subprotocol.is_none_or(|name| OFFERED.contains(&name)));
        let deflate = connection.uses_deflate();
        assert!(self.offers_deflate || !deflate);
        let subprotocol = subprotocol.map(str::to_owned);
        Ok(Some(Response::Established(subprotocol, deflate)))
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), ResponseError> {
        self.handshake.handle_timeout(now)
    }

    fn timeout_at(&self) -> Option<Duration> {
        self.handshake.timeout_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_seeds;

    #[test]
    fn its_seeds_do_what_their_names_say() {
        let outcome = |seed: &[u8]| {
            let input = Input::parse(seed).expect("the seed is long enough");
            match read(&input, Clock::Unused, &[]) {
                Outcome::Waits => "waits".into(),
                Outcome::Failed(error) => format!("{error:?}"),
                Outcome::Read(head, rest) => format!("{head:?}, {} bytes follow", rest.len()),
            }
        };
        assert_seeds("response_head", "", outcome, SEEDS);
    }

    const SEEDS: &str = "
accepted_00: Established(None, false), 0 bytes follow
accepted_03: Established(None, false), 0 bytes follow
compressed_00: ExtensionNotOffered
compressed_01: Established(None, true), 0 bytes follow
frames_after_00: Established(None, false), 4 bytes follow
frames_after_03: Established(None, false), 4 bytes follow
interim_00: Established(None, false), 0 bytes follow
interim_03: Established(None, false), 0 bytes follow
no_subprotocol_00: Established(None, false), 0 bytes follow
no_subprotocol_03: Established(None, false), 0 bytes follow
not_http_00: MalformedHead
not_http_03: MalformedHead
over_599_00: Refused(600, 0), 0 bytes follow
over_599_03: Refused(600, 0), 0 bytes follow
redirect_00: Refused(301, 1), 0 bytes follow
redirect_03: Refused(301, 1), 0 bytes follow
refused_00: Refused(404, 1), 4 bytes follow
refused_03: Refused(404, 1), 4 bytes follow
subprotocol_00: Established(Some(\"chat\"), false), 0 bytes follow
subprotocol_03: Established(Some(\"chat\"), false), 0 bytes follow
wrong_accept_00: Accept
wrong_accept_03: Accept
";
}
