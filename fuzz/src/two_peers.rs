//! A client and a server that do anything in any order, over a transport that may corrupt, stall and end.

use std::time::Duration;

use arbitrary::Arbitrary;
use sockless::test_util::Role;
use sockless::{Config, Deadlines, Deflate, Delivery, Reply};

use crate::input::{Rest, structured};
use crate::opening;
use crate::operations::{Encoded, Operation};
use side::Side;

mod ending;
mod incoming;
mod patience;
mod side;

/// Two peers and what happens.
#[derive(Arbitrary)]
struct Input {
    deflate: bool,
    chunks: bool,
    manual_pong: bool,
    manual_close: bool,
    deadlines: Choices,
    max_output: u16,
    operations: Rest<Encoded>,
}

/// Whether there are deadlines, in the lowest bit, and which.
#[derive(Arbitrary, Clone, Copy)]
struct Choices(u8);

impl Choices {
    fn deadlines(self) -> Option<Deadlines> {
        if self.0 & 1 == 0 {
            return None;
        }
        let choose = |shift: u8, usual| match self.0 >> shift & 3 {
            0 => usual,
            1 => Duration::ZERO,
            2 => Duration::MAX,
            _ => Duration::from_secs(25),
        };
        // Another than the others.
        let pong = match self.0 >> 7 {
            0 => Duration::from_secs(15),
            _ => Duration::MAX,
        };
        let usual = Deadlines::new();
        Some(
            Deadlines::new()
                .with_max_extension(choose(1, usual.max_extension))
                .with_ping_interval(choose(3, usual.ping_interval))
                .with_close(choose(5, usual.close))
                .with_pong(pong),
        )
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

/// The client and the server, after all that happens.
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
    for Encoded((by_client, operation)) in input.operations.0 {
        if by_client {
            client.act(operation, &mut server);
        } else {
            server.act(operation, &mut client);
        }
    }
    // What is still on its way arrives.
    for _ in 0..4 {
        client.act(Operation::Transfer(u16::MAX), &mut server);
        server.act(Operation::Transfer(u16::MAX), &mut client);
    }
    (client, server)
}

#[cfg(test)]
mod tests {
    use sockless::Timeout;

    use super::*;
    use crate::tests::seed;

    /// Or the target would see to nothing: what the client and the server have heard in the end, and how it ended
    /// for each (clean or not, whether for an error, and for which deadline).
    #[test]
    fn its_seeds_do_what_they_are_named_after() {
        type Ending = Option<(bool, bool, Option<Timeout>)>;
        const CLEAN: Ending = Some((true, false, None));
        const ENDED: Ending = Some((false, false, None));
        const FAILED: Ending = Some((false, true, None));
        const NO_PONG: Ending = Some((false, false, Some(Timeout::Pong)));
        const NO_CLOSE: Ending = Some((false, false, Some(Timeout::Close)));
        const NO_END: Ending = Some((true, false, Some(Timeout::EndOfStream)));
        const SILENT: Ending = Some((false, false, Some(Timeout::EndOfStream)));
        let expected: [(&str, [usize; 2], [Ending; 2]); 52] = [
            ("backlog", [1, 1], [None, None]),
            ("backlog_bounded", [1, 0], [None, NO_PONG]),
            ("backlog_strict", [1, 0], [None, NO_PONG]),
            ("both_close", [1, 1], [CLEAN, CLEAN]),
            ("client_closes", [2, 2], [CLEAN, CLEAN]),
            ("clock_goes_back", [2, 1], [CLEAN, NO_CLOSE]),
            ("close_dropped", [1, 0], [ENDED, None]),
            ("close_in_the_last_turn", [1, 1], [CLEAN, CLEAN]),
            ("close_not_answered", [0, 1], [NO_CLOSE, CLEAN]),
            ("close_written", [1, 1], [CLEAN, CLEAN]),
            ("compressed", [3, 3], [CLEAN, CLEAN]),
            ("control_frames_extend_nothing", [1, 12], [None, NO_PONG]),
            ("corrupted", [1, 0], [CLEAN, FAILED]),
            ("cut_off_at_the_end", [1, 0], [ENDED, None]),
            ("fragments", [2, 3], [None, None]),
            ("given_up", [2, 0], [None, NO_PONG]),
            ("guessed_pong", [1, 2], [None, NO_PONG]),
            ("guessed_pong_to_a_later_ping", [3, 2], [None, None]),
            ("held_ping", [3, 2], [None, None]),
            ("impatient", [1, 3], [NO_CLOSE, CLEAN]),
            ("kept_alive", [6, 6], [None, None]),
            ("largest_time", [2, 1], [None, NO_PONG]),
            ("later_ping", [1, 3], [None, None]),
            ("lent", [6, 1], [None, None]),
            ("lent_behind_ping", [3, 2], [None, None]),
            ("lent_refused", [1, 0], [None, None]),
            ("manual_replies", [2, 3], [CLEAN, CLEAN]),
            ("messages", [3, 3], [None, None]),
            ("no_deadlines", [0, 0], [None, None]),
            ("output_after_the_end", [1, 0], [None, ENDED]),
            ("output_after_the_end_not_read", [1, 0], [None, SILENT]),
            ("patient", [0, 1], [None, None]),
            ("ping_between_fragments", [2, 0], [None, NO_PONG]),
            ("read_in_the_last_turn", [1, 1], [None, None]),
            ("refused", [1, 0], [None, None]),
            ("shared", [10, 3], [None, None]),
            ("shared_compressed", [10, 3], [None, None]),
            ("silent_after_a_write_error", [1, 1], [SILENT, None]),
            ("steady_message", [1, 1], [None, None]),
            ("steady_message_before_the_close", [0, 1], [NO_CLOSE, None]),
            (
                "steady_message_before_the_close_bounded",
                [0, 1],
                [NO_CLOSE, None],
            ),
            ("steady_message_bounded", [1, 0], [None, NO_PONG]),
            ("steady_message_strict", [1, 0], [None, NO_PONG]),
            ("steady_reader", [2, 0], [None, None]),
            ("steady_reader_bounded", [2, 0], [None, NO_PONG]),
            ("steady_reader_strict", [2, 0], [None, NO_PONG]),
            ("stream_ends", [0, 1], [None, ENDED]),
            ("stream_not_ended", [1, 1], [NO_END, CLEAN]),
            ("unread_at_a_reset", [3, 0], [ENDED, None]),
            ("unread_at_a_write_error", [3, 0], [ENDED, None]),
            ("unread_at_the_end", [3, 1], [ENDED, None]),
            ("wrong_after_a_write_error", [1, 0], [FAILED, None]),
        ];
        for (name, heard, endings) in expected {
            let (client, server) = play(structured(&seed("two_peers", name)).expect("a value"));
            let sides = [client, server];
            let found = sides.each_ref().map(|side| side.peer.events.len());
            assert_eq!(found, heard, "{name}");
            let found = sides.each_ref().map(|side| {
                let ending = side.peer.connection.close_event();
                ending.map(|event| (event.was_clean, event.error.is_some(), event.timeout))
            });
            assert_eq!(found, endings, "{name}");
        }
    }
}
