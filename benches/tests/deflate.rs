//! What everyone compresses and decompresses are the messages.

use sockless_benches::deflate::{Job, broadcasters, receivers, senders};
use sockless_benches::job::Role;
use sockless_benches::sum::Sum;

const SIZES: [usize; 4] = [1, 100, 1000, 70_000];
const PASSES: usize = 3;

fn jobs() -> impl Iterator<Item = Job> {
    let roles = [Role::Server, Role::Client];
    roles
        .into_iter()
        .flat_map(|role| SIZES.map(|size| Job::new(role, size, PASSES)))
}

#[test]
fn what_is_sent_can_be_decompressed() {
    for job in jobs() {
        for mut contestant in senders(&job) {
            for _ in 0..PASSES {
                let mut sum = Sum::thorough();
                (contestant.pass)(&mut sum);
                assert_eq!(sum.messages, job.messages.len() as u64);
                assert!(sum.bytes > 0, "{} was not looked at", contestant.name);
            }
        }
    }
}

#[test]
fn what_is_received_is_what_was_compressed() {
    for job in jobs() {
        for mut contestant in receivers(&job) {
            for _ in 0..PASSES {
                let mut sum = Sum::thorough();
                (contestant.pass)(&mut sum);
                let expected = job.expected(Sum::thorough());
                assert_eq!(sum, expected, "{}", contestant.name);
            }
        }
    }
}

#[test]
fn what_is_sent_to_many_arrives() {
    for size in SIZES {
        let job = Job::new(Role::Server, size, PASSES);
        for mut contestant in broadcasters(&job, 5) {
            for _ in 0..PASSES {
                let mut sum = Sum::thorough();
                (contestant.pass)(&mut sum);
                assert_eq!(sum.messages, 2);
                assert!(sum.bytes > 0, "{}", contestant.name);
            }
        }
    }
}
