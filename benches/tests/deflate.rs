//! Everyone compresses and decompresses the messages without a change.

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
fn sent_messages_decompress_to_the_originals() {
    for job in jobs() {
        for (name, mut pass) in senders(&job) {
            for _ in 0..PASSES {
                let mut sum = Sum::thorough();
                pass(&mut sum);
                assert_eq!(sum.messages, job.messages.len() as u64);
                assert!(sum.bytes > 0, "{name} was not checked");
            }
        }
    }
}

#[test]
fn received_messages_are_the_originals() {
    for job in jobs() {
        for (name, mut pass) in receivers(&job) {
            for _ in 0..PASSES {
                let mut sum = Sum::thorough();
                pass(&mut sum);
                let expected = job.expected(Sum::thorough());
                assert_eq!(sum, expected, "{name}");
            }
        }
    }
}

#[test]
fn broadcast_messages_arrive() {
    for size in SIZES {
        let job = Job::new(Role::Server, size, PASSES);
        for (name, mut pass) in broadcasters(&job, 5) {
            for _ in 0..PASSES {
                let mut sum = Sum::thorough();
                pass(&mut sum);
                assert_eq!(sum.messages, 2);
                assert!(sum.bytes > 0, "{name}");
            }
        }
    }
}
