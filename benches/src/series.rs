//! What is measured.

use crate::job::{Kind, Receive, Role, Send};
use crate::limits::{self, Limit};
use crate::peers::{Pass, Peer};
use crate::sum::Sum;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// One kind of job.
pub enum Job {
    Receive(Receive),
    Send(Send),
    Echo(Receive),
    Handshake,
}

impl Job {
    /// Messages in a pass.
    pub fn messages(&self) -> usize {
        match self {
            Self::Receive(job) | Self::Echo(job) => job.count,
            Self::Send(job) => job.count,
            Self::Handshake => 1,
        }
    }

    /// In how many places in memory it is done: how long a short message takes depends on where its buffers came to lie,
    /// which is luck. Large ones lie everywhere, and would take all memory.
    pub const fn places(&self) -> usize {
        let size = match self {
            Self::Receive(job) | Self::Echo(job) => job.size,
            Self::Send(job) => job.size,
            Self::Handshake => 0,
        };
        if size <= 64 << 10 { 6 } else { 1 }
    }

    /// How a peer does it, if it can.
    pub fn pass(&self, peer: &dyn Peer) -> Option<Pass> {
        match self {
            Self::Receive(job) => peer.receive(job),
            Self::Send(job) => peer.send(job),
            Self::Echo(job) => peer.echo(job),
            Self::Handshake => peer.handshake(),
        }
    }

    /// The machine's limits, the one with all the work last.
    pub fn limits(&self) -> Vec<Limit> {
        match self {
            Self::Receive(job) => limits::receive(job),
            Self::Send(job) => limits::send(job),
            Self::Echo(job) => limits::echo(job),
            Self::Handshake => Vec::new(),
        }
    }

    /// Does a pass and looks at everything it does; says what each further pass has to come to.
    ///
    /// # Errors
    ///
    /// Says what the pass does wrong.
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
            // Answers differ in the headers they have, so the first one is the measure of all others.
            Self::Handshake => {
                let mut answer = Sum::default();
                pass(&mut answer);
                if answer.messages != 1 || answer.bytes == 0 {
                    return Err(format!("no answer: {answer:?}"));
                }
                (None, answer)
            }
        };
        let agrees = match &thorough {
            Some(thorough) => seen == *thorough,
            // What is written is looked at by the pass itself.
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

/// A job, measured with all who can do it.
pub struct Series {
    /// What `--only` selects by.
    pub id: String,
    pub title: String,
    pub job: Job,
    /// Passes that are timed together.
    pub rounds: usize,
    /// Whether it has a row in the plot.
    pub plotted: bool,
}

impl Series {
    fn receive(id: impl Into<String>, title: impl Into<String>, job: Receive) -> Self {
        let frames = job.size / job.fragment.max(1);
        Self {
            id: id.into(),
            title: title.into(),
            rounds: rounds(job.count, frames.max(1), job.size),
            job: Job::Receive(job),
            plotted: false,
        }
    }

    fn plotted_if(mut self, plotted: bool) -> Self {
        self.plotted = plotted;
        self
    }
}

/// Series of one table.
pub struct Group {
    pub title: &'static str,
    pub series: Vec<Series>,
}

/// All of them.
pub fn groups() -> Vec<Group> {
    vec![
        receive_binary(),
        receive_large_reads(),
        receive_single(),
        receive_text(),
        receive_client(),
        receive_fragments(),
        receive_chunks(),
        send(Role::Server),
        send(Role::Client),
        echo(),
        handshake(),
    ]
}

fn receive_binary() -> Group {
    let sizes = [0, 16, 125, KIB, 16 * KIB, 64 * KIB, MIB, 16 * MIB];
    let series = sizes.map(|size| {
        Series::receive(
            format!("receive-binary-{}", short(size)),
            format!("Receive {}", long(size)),
            binary(size),
        )
        .plotted_if([16, 125, KIB, 16 * KIB, MIB].contains(&size))
    });
    Group {
        title: "Receive as a server, masked, reads of 16 KiB",
        series: series.into(),
    }
}

fn receive_large_reads() -> Group {
    let sizes = [16, 125, KIB, 16 * KIB, 64 * KIB, MIB];
    let series = sizes.map(|size| {
        let job = Receive {
            read_size: 64 * KIB,
            ..binary(size)
        };
        Series::receive(
            format!("receive-large-reads-{}", short(size)),
            format!("Receive {}, reads of 64 KiB", long(size)),
            job,
        )
    });
    Group {
        title: "Receive as a server, masked, reads of 64 KiB",
        series: series.into(),
    }
}

fn receive_single() -> Group {
    let series = [16, 125, KIB].map(|size| {
        let mut job = binary(size);
        job.read_size = job.stream().len() / job.count;
        Series::receive(
            format!("receive-single-{}", short(size)),
            format!("Receive {}, one a read", long(size)),
            job,
        )
        .plotted_if(size == 125)
    });
    Group {
        title: "Receive as a server, masked, one message a read",
        series: series.into(),
    }
}

fn receive_text() -> Group {
    let mut series = Vec::new();
    for (kind, name) in [(Kind::Ascii, "ASCII"), (Kind::Chinese, "Chinese")] {
        for size in [16, 125, KIB, 16 * KIB, MIB] {
            let job = Receive {
                kind,
                ..binary(size)
            };
            let series_of_size = Series::receive(
                format!("receive-{}-{}", name.to_lowercase(), short(size)),
                format!("Receive {} of {name}", long(size)),
                job,
            );
            let plotted = [125, 16 * KIB].contains(&size);
            series.push(series_of_size.plotted_if(plotted));
        }
    }
    Group {
        title: "Receive text as a server, masked, reads of 16 KiB",
        series,
    }
}

fn receive_client() -> Group {
    let sizes = [0, 16, 125, KIB, 16 * KIB, 64 * KIB, MIB];
    let series = sizes.map(|size| {
        let job = Receive {
            role: Role::Client,
            ..binary(size)
        };
        Series::receive(
            format!("receive-client-{}", short(size)),
            format!("Receive {} as a client", long(size)),
            job,
        )
        .plotted_if([125, 16 * KIB].contains(&size))
    });
    Group {
        title: "Receive as a client, not masked, reads of 16 KiB",
        series: series.into(),
    }
}

fn receive_fragments() -> Group {
    let series = [KIB, 64].map(|fragment| {
        let job = Receive {
            fragment,
            ..binary(MIB)
        };
        Series::receive(
            format!("receive-fragments-{}", short(fragment)),
            format!("Receive 1 MiB in fragments of {}", long(fragment)),
            job,
        )
        .plotted_if(fragment == KIB)
    });
    Group {
        title: "Receive fragmented messages as a server, masked, reads of 16 KiB",
        series: series.into(),
    }
}

fn receive_chunks() -> Group {
    let series = [MIB, 16 * MIB].map(|size| {
        let job = Receive {
            chunks: true,
            ..binary(size)
        };
        Series::receive(
            format!("receive-chunks-{}", short(size)),
            format!("Receive {} in chunks", long(size)),
            job,
        )
        .plotted_if(size == MIB)
    });
    Group {
        title: "Receive parts of messages as they come, as a server, masked, reads of 16 KiB",
        series: series.into(),
    }
}

fn send(role: Role) -> Group {
    let (title, name) = match role {
        Role::Server => ("Send as a server", "server"),
        Role::Client => ("Send as a client, masked", "client"),
    };
    let sizes = [0, 16, 125, KIB, 16 * KIB, 64 * KIB, MIB];
    let series = sizes.map(|size| {
        let job = Send {
            role,
            kind: Kind::Binary,
            size,
            count: count(size),
        };
        Series {
            id: format!("send-{name}-{}", short(size)),
            title: format!("Send {} as a {name}", long(size)),
            rounds: rounds(job.count, 1, size),
            job: Job::Send(job),
            plotted: [125, 16 * KIB].contains(&size),
        }
    });
    Group {
        title,
        series: series.into(),
    }
}

fn echo() -> Group {
    let series = [16, 125, KIB, 16 * KIB].map(|size| {
        let job = binary(size);
        Series {
            id: format!("echo-{}", short(size)),
            title: format!("Echo {}", long(size)),
            rounds: rounds(job.count, 1, size),
            job: Job::Echo(job),
            plotted: size == 125,
        }
    });
    Group {
        title: "Echo as a server: receive masked, send, reads of 16 KiB",
        series: series.into(),
    }
}

fn handshake() -> Group {
    Group {
        title: "Opening handshake",
        series: vec![Series {
            id: "handshake".to_owned(),
            title: "Answer an opening handshake".to_owned(),
            job: Job::Handshake,
            rounds: 300,
            plotted: true,
        }],
    }
}

/// Whole binary messages for a server.
fn binary(size: usize) -> Receive {
    Receive {
        role: Role::Server,
        kind: Kind::Binary,
        size,
        fragment: size,
        count: count(size),
        read_size: 16 * KIB,
        chunks: false,
    }
}

/// Messages in a pass: as many as leave room in a cache of the second level, if one does.
fn count(size: usize) -> usize {
    256 * KIB / (size + 14) + 1
}

/// How many passes take about half a millisecond, or a single one, if it takes more.
fn rounds(count: usize, frames: usize, size: usize) -> usize {
    // Nanoseconds, very roughly.
    let pass = count * (10 * frames + size / 6);
    (500_000 / pass).max(1)
}

/// As it is in an id.
fn short(size: usize) -> String {
    match size {
        ..KIB => size.to_string(),
        KIB..MIB => format!("{}k", size / KIB),
        MIB.. => format!("{}m", size / MIB),
    }
}

/// As it is in a title.
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

    #[test]
    fn ids_and_titles_name_one_series_each() {
        let groups = groups();
        let series = || groups.iter().flat_map(|group| &group.series);
        let ids: HashSet<_> = series().map(|series| &series.id).collect();
        let titles: HashSet<_> = series().map(|series| &series.title).collect();
        assert_eq!(ids.len(), series().count());
        assert_eq!(titles.len(), series().count());
        let plotted = series().filter(|series| series.plotted).count();
        assert!((15..=20).contains(&plotted), "{plotted} rows in the plot");
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
            send(Role::Server).series.swap_remove(1).job,
        ] {
            assert!(job.check(&mut silent).is_err());
        }
    }
}
