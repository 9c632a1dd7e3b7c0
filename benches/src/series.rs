//! The series that are measured.

use crate::job::{Kind, Receive, Role, Send};
use crate::limits::{self, Limit};
use crate::peers::{Pass, Peer};
use crate::sum::Sum;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What a series measures.
pub enum Job {
    Receive(Receive),
    Send(Send),
    Echo(Receive),
    Handshake,
}

impl Job {
    /// Bytes in a message, messages in a pass, and frames in a message.
    fn shape(&self) -> (usize, usize, usize) {
        match self {
            Self::Receive(job) | Self::Echo(job) => {
                (job.size, job.count, (job.size / job.fragment.max(1)).max(1))
            }
            Self::Send(job) => (job.size, job.count, 1),
            Self::Handshake => (0, 1, 1),
        }
    }

    /// Messages in a pass.
    pub fn messages(&self) -> usize {
        self.shape().1
    }

    /// Passes that take about half a millisecond together. One pass if it takes longer.
    pub fn rounds(&self) -> usize {
        if let Self::Handshake = self {
            return 300;
        }
        let (size, count, frames) = self.shape();
        // A rough estimate in nanoseconds.
        let pass = count * (10 * frames + size / 6);
        (500_000 / pass).max(1)
    }

    /// The number of places in memory where the job is done.
    ///
    /// The time of a short message depends on the places of its buffers in memory, which is luck. Several places for
    /// large messages would take too much memory.
    pub fn places(&self) -> usize {
        if self.shape().0 <= 64 * KIB { 6 } else { 1 }
    }

    /// A pass of this peer, if it can do the job.
    pub fn pass(&self, peer: &dyn Peer) -> Option<Pass> {
        match self {
            Self::Receive(job) => Some(peer.receive(job)),
            Self::Send(job) => Some(peer.send(job)),
            Self::Echo(job) => Some(peer.echo(job)),
            Self::Handshake => peer.handshake(),
        }
    }

    /// The limits of the machine. The last one does all the work.
    pub fn limits(&self) -> Vec<Limit> {
        match self {
            Self::Receive(job) => limits::receive(job),
            Self::Send(job) => vec![limits::send(job)],
            Self::Echo(job) => vec![limits::echo(job)],
            Self::Handshake => Vec::new(),
        }
    }

    /// Does one pass and checks everything it does. Returns what each further pass must do.
    ///
    /// # Errors
    ///
    /// Describes what the pass does wrong.
    pub fn check(&self, pass: &mut Pass) -> Result<Sum, String> {
        let mut seen = Sum::thorough();
        pass(&mut seen);
        let (thorough, expected) = match self {
            Self::Receive(job) => (
                Some(job.expected(Sum::thorough())),
                job.expected(Sum::default()),
            ),
            Self::Send(job) => (None, written(job, 0)),
            Self::Echo(job) => (None, written(&job.echoed(), job.count)),
            // Responses differ in their headers, so the first one is compared with all others.
            Self::Handshake => {
                let mut response = Sum::default();
                pass(&mut response);
                if response.messages != 1 || response.bytes == 0 {
                    return Err(format!("no response: {response:?}"));
                }
                (None, response)
            }
        };
        let agrees = match &thorough {
            Some(thorough) => seen == *thorough,
            // The pass itself has checked what is written.
            None => (seen.messages, seen.bytes) == (expected.messages, expected.bytes),
        };
        if agrees {
            Ok(expected)
        } else {
            let expected = thorough.unwrap_or(expected);
            Err(format!("{seen:?} instead of {expected:?}"))
        }
    }
}

fn written(job: &Send, messages: usize) -> Sum {
    let mut sum = Sum::default();
    sum.messages = messages as u64;
    sum.wrote(job.count * job.wire_size());
    sum
}

/// A job that all who can do it are measured with.
pub struct Series {
    /// The name that `--only` selects.
    pub id: String,
    pub title: String,
    pub job: Job,
}

/// Series of one table.
pub struct Group {
    pub title: &'static str,
    pub series: Vec<Series>,
}

impl Group {
    fn new(title: &'static str, series: impl IntoIterator<Item = (String, String, Job)>) -> Self {
        let series = series
            .into_iter()
            .map(|(id, title, job)| Series { id, title, job });
        Self {
            title,
            series: series.collect(),
        }
    }
}

/// All series.
pub fn groups() -> Vec<Group> {
    let sizes = [0, 16, 125, KIB, 16 * KIB, 64 * KIB, MIB, 16 * MIB];
    vec![
        Group::new(
            "Receive as a server, masked, reads of 16 KiB",
            sizes.map(|size| {
                let id = format!("receive-binary-{}", short(size));
                let title = format!("Receive {}", long(size));
                (id, title, Job::Receive(binary(size)))
            }),
        ),
        Group::new(
            "Receive as a server, masked, reads of 64 KiB",
            sizes[1..7].iter().map(|&size| {
                let mut job = binary(size);
                job.read_size = 64 * KIB;
                let id = format!("receive-large-reads-{}", short(size));
                let title = format!("Receive {}, reads of 64 KiB", long(size));
                (id, title, Job::Receive(job))
            }),
        ),
        Group::new(
            "Receive as a server, masked, one message a read",
            sizes[1..4].iter().map(|&size| {
                let mut job = binary(size);
                job.read_size = job.stream().len() / job.count;
                let id = format!("receive-single-{}", short(size));
                let title = format!("Receive {}, one a read", long(size));
                (id, title, Job::Receive(job))
            }),
        ),
        receive_text(),
        Group::new(
            "Receive as a client, not masked, reads of 16 KiB",
            sizes[..7].iter().map(|&size| {
                let mut job = binary(size);
                job.role = Role::Client;
                let id = format!("receive-client-{}", short(size));
                let title = format!("Receive {} as a client", long(size));
                (id, title, Job::Receive(job))
            }),
        ),
        Group::new(
            "Receive fragmented messages as a server, masked, reads of 16 KiB",
            [KIB, 64].map(|fragment| {
                let mut job = binary(MIB);
                job.fragment = fragment;
                let id = format!("receive-fragments-{}", short(fragment));
                let title = format!("Receive 1 MiB in fragments of {}", long(fragment));
                (id, title, Job::Receive(job))
            }),
        ),
        Group::new(
            "Receive parts of messages as a server, masked, reads of 16 KiB",
            [MIB, 16 * MIB].map(|size| {
                let mut job = binary(size);
                job.chunks = true;
                let id = format!("receive-chunks-{}", short(size));
                let title = format!("Receive {} in chunks", long(size));
                (id, title, Job::Receive(job))
            }),
        ),
        send("Send as a server", Role::Server, &sizes[..7]),
        send("Send as a client, masked", Role::Client, &sizes[..7]),
        Group::new(
            "Echo as a server: receive masked, send, reads of 16 KiB",
            sizes[1..5].iter().map(|&size| {
                let id = format!("echo-{}", short(size));
                let title = format!("Echo {}", long(size));
                (id, title, Job::Echo(binary(size)))
            }),
        ),
        Group::new(
            "Opening handshake",
            [(
                "handshake".into(),
                "Answer an opening handshake".into(),
                Job::Handshake,
            )],
        ),
    ]
}

fn receive_text() -> Group {
    let kinds = [(Kind::Ascii, "ASCII"), (Kind::Chinese, "Chinese")];
    Group::new(
        "Receive text as a server, masked, reads of 16 KiB",
        kinds.into_iter().flat_map(|(kind, name)| {
            [16, 125, KIB, 16 * KIB, MIB].map(|size| {
                let mut job = binary(size);
                job.kind = kind;
                let id = format!("receive-{}-{}", name.to_lowercase(), short(size));
                let title = format!("Receive {} of {name}", long(size));
                (id, title, Job::Receive(job))
            })
        }),
    )
}

fn send(title: &'static str, role: Role, sizes: &[usize]) -> Group {
    let name = match role {
        Role::Server => "server",
        Role::Client => "client",
    };
    Group::new(
        title,
        sizes.iter().map(|&size| {
            let mut job = binary(size).echoed();
            job.role = role;
            let id = format!("send-{name}-{}", short(size));
            let title = format!("Send {} as a {name}", long(size));
            (id, title, Job::Send(job))
        }),
    )
}

/// Whole binary messages for a server. They fit into a cache of the second level if one of them does.
fn binary(size: usize) -> Receive {
    let count = 256 * KIB / (size + 14) + 1;
    Receive::new(Role::Server, Kind::Binary, size, count)
}

/// A size in an id.
fn short(size: usize) -> String {
    match size {
        ..KIB => size.to_string(),
        KIB..MIB => format!("{}k", size / KIB),
        MIB.. => format!("{}m", size / MIB),
    }
}

/// A size in a title.
fn long(size: usize) -> String {
    match size {
        ..KIB => format!("{size} B"),
        KIB..MIB => format!("{} KiB", size / KIB),
        MIB.. => format!("{} MiB", size / MIB),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The README says how many series there are.
    #[test]
    fn ids_and_titles_are_unique() {
        let groups = groups();
        let series = || groups.iter().flat_map(|group| &group.series);
        let ids: HashSet<_> = series().map(|series| &series.id).collect();
        let titles: HashSet<_> = series().map(|series| &series.title).collect();
        assert_eq!((ids.len(), titles.len(), series().count()), (57, 57, 57));
    }

    #[test]
    fn a_pass_that_does_something_else_is_found() {
        let receive = Job::Receive(Receive {
            count: 2,
            ..binary(16)
        });
        let payload = Kind::Binary.payload(16);
        let mut wrong = payload.clone();
        wrong[3] ^= 1;
        let passes = [
            (vec![payload.clone(), payload.clone()], true),
            (vec![payload.clone()], false),
            (vec![payload.clone(), wrong], false),
        ];
        for (messages, right) in passes {
            let mut pass: Pass = Box::new(move |sum| {
                for message in &messages {
                    sum.add(message, true);
                }
            });
            assert_eq!(receive.check(&mut pass).is_ok(), right);
        }
        let mut silent: Pass = Box::new(|_| {});
        for job in [
            Job::Echo(binary(16)),
            Job::Handshake,
            Job::Send(binary(16).echoed()),
        ] {
            assert!(job.check(&mut silent).is_err());
        }
    }
}
