//! Every peer does every job as it is told, or says that it cannot.

use sockless_benches::job::{Kind, Receive, Role, Send};
use sockless_benches::peers::{Peer, all};
use sockless_benches::sum::Sum;

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const KINDS: [Kind; 3] = [Kind::Binary, Kind::Ascii, Kind::Chinese];
const SIZES: [usize; 7] = [0, 1, 16, 125, 126, 1000, 70_000];
const COUNT: usize = 5;

/// All combinations; a message in one frame, in a few, and in many.
fn receives() -> Vec<Receive> {
    let mut jobs = Vec::new();
    for role in ROLES {
        for kind in KINDS {
            for size in SIZES {
                let mut fragments = vec![size, size.div_ceil(3), size.div_ceil(50)];
                fragments.dedup();
                for fragment in fragments {
                    for read_size in [100, 16_384] {
                        for chunks in [false, true] {
                            jobs.push(Receive {
                                role,
                                kind,
                                size,
                                fragment,
                                count: COUNT,
                                read_size,
                                chunks,
                            });
                        }
                    }
                }
            }
        }
    }
    jobs
}

fn sends() -> Vec<Send> {
    let mut jobs = Vec::new();
    for role in ROLES {
        for kind in KINDS {
            for size in SIZES {
                jobs.push(Send {
                    role,
                    kind,
                    size,
                    count: COUNT,
                });
            }
        }
    }
    jobs
}

fn cannot(peer: &dyn Peer, job: &dyn std::fmt::Debug) {
    println!("{} cannot {job:?}", peer.name());
}

#[test]
fn all_receive_what_was_sent() {
    for peer in all() {
        for job in receives() {
            let Some(mut pass) = peer.receive(&job) else {
                cannot(&*peer, &job);
                continue;
            };
            for start in [Sum::thorough(), Sum::default(), Sum::thorough()] {
                let mut sum = start.clone();
                pass(&mut sum);
                assert_eq!(sum, job.expected(start), "{}: {job:?}", peer.name());
            }
        }
    }
}

#[test]
fn all_send_what_they_are_given() {
    for peer in all() {
        for job in sends() {
            let Some(mut pass) = peer.send(&job) else {
                cannot(&*peer, &job);
                continue;
            };
            for mut sum in [Sum::thorough(), Sum::default(), Sum::thorough()] {
                pass(&mut sum);
                assert_eq!(
                    sum.bytes,
                    (COUNT * job.wire_size()) as u64,
                    "{}: {job:?}",
                    peer.name()
                );
            }
        }
    }
}

#[test]
fn all_echo_what_they_receive() {
    for peer in all() {
        for job in receives().iter().filter(|job| job.role == Role::Server) {
            let Some(mut pass) = peer.echo(job) else {
                cannot(&*peer, job);
                continue;
            };
            for mut sum in [Sum::thorough(), Sum::default(), Sum::thorough()] {
                pass(&mut sum);
                assert_eq!(sum.messages, COUNT as u64, "{}: {job:?}", peer.name());
                assert_eq!(
                    sum.bytes,
                    (COUNT * job.echoed().wire_size()) as u64,
                    "{}: {job:?}",
                    peer.name()
                );
            }
        }
    }
}

#[test]
fn large_messages_pass() {
    let receive = Receive {
        role: Role::Server,
        kind: Kind::Ascii,
        size: 16 << 20,
        fragment: 16 << 20,
        count: 1,
        read_size: 256 << 10,
        chunks: false,
    };
    let send = Send {
        role: Role::Client,
        ..receive.echoed()
    };
    for peer in all() {
        if let Some(mut pass) = peer.receive(&receive) {
            let mut sum = Sum::default();
            pass(&mut sum);
            assert_eq!(sum, receive.expected(Sum::default()), "{}", peer.name());
        } else {
            cannot(&*peer, &receive);
        }
        if let Some(mut pass) = peer.send(&send) {
            let mut sum = Sum::thorough();
            pass(&mut sum);
            assert_eq!(sum.bytes, send.wire_size() as u64, "{}", peer.name());
        } else {
            cannot(&*peer, &send);
        }
    }
}

#[test]
fn all_answer_the_handshake() {
    for peer in all() {
        let Some(mut pass) = peer.handshake() else {
            println!("{} has no handshake", peer.name());
            continue;
        };
        for start in [Sum::thorough(), Sum::default(), Sum::thorough()] {
            let mut sum = start;
            pass(&mut sum);
            assert_eq!(sum.messages, 1, "{}", peer.name());
            assert!(sum.bytes > 100, "{}: {} bytes", peer.name(), sum.bytes);
        }
    }
}

#[test]
fn idle_connections_are_made() {
    for peer in all() {
        for used in [false, true] {
            if peer.idle(used).is_none() {
                println!("{} has no idle connection, used: {used}", peer.name());
            }
        }
    }
}
