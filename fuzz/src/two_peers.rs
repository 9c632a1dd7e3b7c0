//! A client and a server that do anything in any order, over a transport that may corrupt, stall and end.

use std::time::Duration;

use arbitrary::Arbitrary;
use sockless::test_util::Role;
use sockless::{Config, Deadlines, Deflate, Delivery, Reply};

use crate::input::{Rest, structured};
use crate::opening;
use crate::operations::{Operation, Step};
use side::Side;

mod closing;
mod deadlines;
mod incoming;
mod side;

/// The configuration of both peers, and what they do.
#[derive(Arbitrary)]
struct Input {
    deflate: bool,
    chunks: bool,
    manual_pong: bool,
    manual_close: bool,
    deadlines: Choices,
    max_output: u16,
    steps: Rest<Step>,
}

/// The lowest bit says whether there are deadlines. The others choose them.
#[derive(Arbitrary, Clone, Copy)]
struct Choices(u8);

impl Choices {
    fn deadlines(self) -> Option<Deadlines> {
        if self.0 & 1 == 0 {
            return None;
        }
        let choose = |shift: u8, default| match self.0 >> shift & 3 {
            0 => default,
            1 => Duration::ZERO,
            2 => Duration::MAX,
            _ => Duration::from_secs(25),
        };
        // It differs from the other periods, so the model finds periods that are confused.
        let pong = match self.0 >> 7 {
            0 => Duration::from_secs(15),
            _ => Duration::MAX,
        };
        let default = Deadlines::new();
        let deadlines = Deadlines::new()
            .with_max_extension(choose(1, default.max_extension))
            .with_ping_interval(choose(3, default.ping_interval))
            .with_close(choose(5, default.close))
            .with_pong(pong);
        Some(deadlines)
    }
}

/// See the module.
pub fn run(data: &[u8]) {
    let Some(input) = structured::<Input>(data) else {
        return;
    };
    let (client, server) = play(input);
    client.check(&server);
    server.check(&client);
}

/// Does all steps. Returns the client and the server.
fn play(input: Input) -> (Side, Side) {
    let mut config = Config::new().with_max_output(input.max_output.into());
    if input.deflate {
        config.deflate = Some(Deflate::new().with_min_size(5).with_level(1));
    }
    if input.chunks {
        config.delivery = Delivery::Chunks;
    }
    if input.manual_pong {
        config.ping_reply = Reply::Manual;
    }
    if input.manual_close {
        config.close_reply = Reply::Manual;
    }
    config.deadlines = input.deadlines.deadlines();
    let (server, client) = opening::pair(config.clone(), config.clone());
    let mut client = Side::new(Role::Client, client, &config);
    let mut server = Side::new(Role::Server, server, &config);
    for step in input.steps.0 {
        if step.by_client {
            client.act(step.operation, &mut server);
        } else {
            server.act(step.operation, &mut client);
        }
    }
    // The rest of the output arrives.
    for _ in 0..4 {
        client.act(Operation::Transfer(u16::MAX), &mut server);
        server.act(Operation::Transfer(u16::MAX), &mut client);
    }
    (client, server)
}

#[cfg(test)]
mod tests {
    use sockless::test_util::OwnedEvent;

    use super::*;
    use crate::operations::Manner;
    use crate::tests::assert_seeds;

    /// The events that each side received, and how the connection ended for it.
    #[test]
    fn its_seeds_do_what_their_names_say() {
        let outcome = |seed: &[u8]| {
            let (client, server) = play(structured(seed).expect("the seed is long enough"));
            format!("client {}; server {}", summary(&client), summary(&server))
        };
        assert_seeds("two_peers", "", outcome, SEEDS);
    }

    /// A server puts a large message into the output without a copy. The checks of output in parts need that.
    #[test]
    fn a_server_copies_no_large_message() {
        let config = Config::default();
        let side = |role: Role| Side::new(role, role.connection(&config), &config);
        let (mut client, mut server) = (side(Role::Client), side(Role::Server));
        let message = || OwnedEvent::binary(&[1; 4096]);
        for _ in 0..2 {
            let own = Operation::Send(OwnedEvent::text("own"), Manner::Whole);
            server.act(own, &mut client);
            server.act(Operation::Send(message(), Manner::Shared), &mut client);
        }
        assert_eq!(server.peer.connection.output_parts().count(), 4);
        let borrowed = Operation::Send(message(), Manner::Borrowed(8000));
        server.act(borrowed, &mut client);
        assert_eq!((server.wire.len(), server.written.len()), (8000, 8000));
        assert_eq!(server.peer.connection.output_parts().count(), 2);
    }

    fn summary(side: &Side) -> String {
        let count = side.peer.events.len();
        let ending = match side.peer.close_event() {
            None => "open".into(),
            Some(event) => match (event.was_clean, event.error, event.timeout) {
                (true, None, None) => "clean".into(),
                (false, None, None) => "unclean".into(),
                (true, None, Some(timeout)) => format!("clean, {timeout:?} timeout"),
                (false, None, Some(timeout)) => format!("{timeout:?} timeout"),
                (_, Some(error), _) => format!("{error:?}"),
            },
        };
        format!("{count} {ending}")
    }

    const SEEDS: &str = "
backlog: client 1 open; server 1 open
backlog_bounded: client 1 open; server 0 Pong timeout
backlog_strict: client 1 open; server 0 Pong timeout
borrowed: client 6 open; server 1 open
borrowed_after_ping: client 3 open; server 2 open
borrowed_refused: client 1 open; server 0 open
both_close: client 1 clean; server 1 clean
client_closes: client 2 clean; server 2 clean
clock_goes_back: client 2 clean; server 1 Close timeout
close_dropped: client 1 unclean; server 0 open
close_in_the_last_turn: client 1 clean; server 1 clean
close_not_answered: client 0 Close timeout; server 1 clean
close_unsent_when_given_up: client 1 unclean; server 3 EndOfStream timeout
close_written: client 1 clean; server 1 clean
compressed: client 3 clean; server 3 clean
control_frames_extend_nothing: client 1 open; server 12 Pong timeout
corrupted: client 1 clean; server 0 ReservedBits
cut_off_at_the_end: client 1 unclean; server 0 open
fragments: client 2 open; server 3 open
given_up: client 2 open; server 0 Pong timeout
guessed_pong: client 1 open; server 2 Pong timeout
guessed_pong_to_a_later_ping: client 3 open; server 2 open
held_ping: client 3 open; server 2 open
impatient: client 1 Close timeout; server 3 clean
kept_alive: client 6 open; server 6 open
largest_time: client 2 open; server 1 Pong timeout
later_ping: client 1 open; server 3 open
manual_replies: client 2 clean; server 3 clean
messages: client 3 open; server 3 open
no_deadlines: client 0 open; server 0 open
output_after_the_end: client 1 open; server 0 unclean
output_after_the_end_not_read: client 1 open; server 0 EndOfStream timeout
patient: client 0 open; server 1 open
ping_between_fragments: client 2 open; server 0 Pong timeout
read_in_the_last_turn: client 1 open; server 1 open
refused: client 1 open; server 0 open
shared: client 10 open; server 3 open
shared_compressed: client 10 open; server 3 open
silent_after_a_write_error: client 1 EndOfStream timeout; server 1 open
steady_message: client 1 open; server 1 open
steady_message_before_the_close: client 0 Close timeout; server 1 open
steady_message_before_the_close_bounded: client 0 Close timeout; server 1 open
steady_message_bounded: client 1 open; server 0 Pong timeout
steady_message_strict: client 1 open; server 0 Pong timeout
steady_reader: client 2 open; server 0 open
steady_reader_bounded: client 2 open; server 0 Pong timeout
steady_reader_strict: client 2 open; server 0 Pong timeout
stream_ends: client 0 open; server 1 unclean
stream_not_ended: client 1 clean, EndOfStream timeout; server 1 clean
taken_and_never_written: client 2 open; server 1 Pong timeout
taken_close_frame: client 0 Close timeout; server 1 clean
taken_in_parts: client 4 clean; server 1 clean
unread_at_a_reset: client 3 unclean; server 0 open
unread_at_a_write_error: client 3 unclean; server 0 open
unread_at_the_end: client 3 unclean; server 1 open
write_error_while_taken: client 0 open; server 1 open
wrong_after_a_write_error: client 1 ReservedBits; server 0 open
";
}
