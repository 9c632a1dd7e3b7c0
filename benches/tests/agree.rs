//! Every peer does every job correctly.

use sockless_benches::job::{Kind, Receive, Role};
use sockless_benches::peers::{Pass, all};
use sockless_benches::sum::Sum;

const SIZES: [usize; 7] = [0, 1, 16, 125, 126, 1000, 70_000];
const COUNT: usize = 5;

/// A role, a kind and a size in every combination.
fn shapes() -> Vec<Receive> {
    let mut jobs = Vec::new();
    for role in [Role::Server, Role::Client] {
        for kind in [Kind::Binary, Kind::Ascii, Kind::Chinese] {
            jobs.extend(SIZES.map(|size| Receive::new(role, kind, size, COUNT)));
        }
    }
    jobs
}

/// All combinations. A message has one, a few or many frames.
fn receives() -> Vec<Receive> {
    let mut jobs = Vec::new();
    for job in shapes() {
        let mut fragments = vec![job.size, job.size.div_ceil(3), job.size.div_ceil(50)];
        fragments.dedup();
        for fragment in fragments {
            for read_size in [100, 16_384] {
                for chunks in [false, true] {
                    jobs.push(Receive {
                        fragment,
                        read_size,
                        chunks,
                        ..job.clone()
                    });
                }
            }
        }
    }
    jobs
}

/// Runs a thorough pass, a plain one, and a thorough one again.
fn check(pass: &mut Pass, messages: usize, wire_size: usize, what: &str) {
    for mut sum in [Sum::thorough(), Sum::default(), Sum::thorough()] {
        pass(&mut sum);
        assert_eq!(sum.messages, messages as u64, "{what}");
        assert_eq!(sum.bytes, (COUNT * wire_size) as u64, "{what}");
    }
}

#[test]
fn all_receive_what_was_sent() {
    for peer in all() {
        for job in receives() {
            let mut pass = peer.receive(&job);
            for start in [Sum::thorough(), Sum::default(), Sum::thorough()] {
                let mut sum = start.clone();
                pass(&mut sum);
                assert_eq!(sum, job.expected(start), "{}: {job:?}", peer.name());
            }
        }
    }
}

#[test]
fn all_send_their_messages() {
    for peer in all() {
        for shape in shapes() {
            let mut job = shape.echoed();
            job.role = shape.role;
            let what = format!("{}: {job:?}", peer.name());
            check(&mut peer.send(&job), 0, job.wire_size(), &what);
        }
    }
}

#[test]
fn all_echo_what_they_receive() {
    for peer in all() {
        for job in receives() {
            if job.role == Role::Server {
                let what = format!("{}: {job:?}", peer.name());
                let size = job.echoed().wire_size();
                check(&mut peer.echo(&job), COUNT, size, &what);
            }
        }
    }
}

#[test]
fn large_messages_pass() {
    let receive = Receive {
        read_size: 256 << 10,
        ..Receive::new(Role::Server, Kind::Ascii, 16 << 20, 1)
    };
    let mut send = receive.echoed();
    send.role = Role::Client;
    for peer in all() {
        let mut sum = Sum::default();
        peer.receive(&receive)(&mut sum);
        assert_eq!(sum, receive.expected(Sum::default()), "{}", peer.name());
        let mut sum = Sum::thorough();
        peer.send(&send)(&mut sum);
        assert_eq!(sum.bytes, send.wire_size() as u64, "{}", peer.name());
    }
}

#[test]
fn seven_respond_to_the_handshake() {
    let peers = all();
    let passes = peers
        .iter()
        .filter_map(|peer| Some((peer.name(), peer.handshake()?)));
    let mut count = 0;
    for (name, mut pass) in passes {
        for mut sum in [Sum::thorough(), Sum::default(), Sum::thorough()] {
            pass(&mut sum);
            assert_eq!(sum.messages, 1, "{name}");
            assert!(sum.bytes > 100, "{name}: {} bytes", sum.bytes);
        }
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn idle_connections_are_made() {
    for peer in all() {
        for used in [false, true] {
            drop(peer.idle(used));
        }
    }
}
