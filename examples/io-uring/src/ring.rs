//! The ring: operations that the kernel carries out by itself, and what came of them.
//!
//! While an operation is under way the kernel reads and writes memory of this program. So that memory is not lent but
//! given away: to the ring, which keeps it until the kernel says that the operation has completed. That is what makes
//! the functions of this module safe to call, and why all unsafe code of the program is here.

#![expect(
    unsafe_code,
    reason = "what an entry of the ring points at has to stay valid, which no type can say"
)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use slab::Slab;

pub(crate) use buffers::Filled;
use buffers::{Buffers, GROUP};

mod buffers;

/// How many entries go to the kernel at once; those that are more wait for the next time.
const ENTRIES: u32 = 256;

/// How many completions there is room for until they are taken. The kernel keeps those that are more.
const COMPLETIONS: u32 = 4096;

/// What the kernel works on, and what has come of it.
pub(crate) struct Ring {
    uring: IoUring,
    /// By the number that the kernel gives back with a completion.
    operations: Slab<Operation>,
    buffers: Buffers,
    /// Entries that the kernel has not been given yet.
    waiting: VecDeque<Entry>,
    /// The one timeout.
    timeout: Option<usize>,
}

/// An operation under way, with all that its entry points at. A transport is kept open, too: its number could become
/// that of another one before the kernel sees the entry.
enum Operation {
    Accept {
        _listener: Rc<TcpListener>,
    },
    Receive {
        client: usize,
        _transport: Rc<TcpStream>,
    },
    Send {
        client: usize,
        bytes: Vec<u8>,
        _transport: Rc<TcpStream>,
    },
    Timeout {
        _after: Box<Timespec>,
    },
    TimeoutUpdate {
        _after: Box<Timespec>,
    },
    Cancel,
}

/// An operation that can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperationId(usize);

/// What came of an operation.
pub(crate) enum Completion {
    /// A connection. There may be more, unless `last` is set: then accept again.
    Accepted {
        result: io::Result<TcpStream>,
        last: bool,
    },
    /// Bytes, or the end of the stream if there are none. `None` if all buffers were in use: receive again.
    Received {
        client: usize,
        result: io::Result<Option<Filled>>,
    },
    /// So many of these bytes were taken by the transport.
    Sent {
        client: usize,
        bytes: Vec<u8>,
        result: io::Result<usize>,
    },
    /// The time has come.
    Time,
}

impl Ring {
    /// A ring with buffers to receive into.
    ///
    /// # Errors
    ///
    /// What the kernel says, for instance that it does not give rings to this program.
    pub(crate) fn new() -> io::Result<Self> {
        let uring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            .setup_coop_taskrun()
            .build(ENTRIES)?;
        let buffers = Buffers::register(&uring)?;
        Ok(Self {
            uring,
            operations: Slab::new(),
            buffers,
            waiting: VecDeque::new(),
            timeout: None,
        })
    }

    /// Accepts whoever comes, until a completion says that it was the last.
    pub(crate) fn accept(&mut self, listener: &Rc<TcpListener>) {
        let fd = Fd(listener.as_raw_fd());
        let entry = opcode::AcceptMulti::new(fd).flags(libc::SOCK_CLOEXEC);
        self.push(
            entry.build(),
            Operation::Accept {
                _listener: Rc::clone(listener),
            },
        );
    }

    /// Receives once, when something comes. Only then a buffer is needed, and the kernel takes one of those that all
    /// share: a buffer of its own would be in use for as long as a client is silent.
    pub(crate) fn receive(&mut self, client: usize, transport: &Rc<TcpStream>) -> OperationId {
        let fd = Fd(transport.as_raw_fd());
        let entry = opcode::Recv::new(fd, std::ptr::null_mut(), 0)
            .buf_group(GROUP)
            .build()
            .flags(Flags::BUFFER_SELECT);
        self.push(
            entry,
            Operation::Receive {
                client,
                _transport: Rc::clone(transport),
            },
        )
    }

    /// Sends some of these bytes, as many as the transport takes at once; they come back in the completion.
    ///
    /// # Panics
    ///
    /// If there are 4 GiB or more of them.
    pub(crate) fn send(
        &mut self,
        client: usize,
        transport: &Rc<TcpStream>,
        bytes: Vec<u8>,
    ) -> OperationId {
        let length = u32::try_from(bytes.len()).expect("what is sent is short");
        let entry = opcode::Send::new(Fd(transport.as_raw_fd()), bytes.as_ptr(), length)
            .flags(libc::MSG_NOSIGNAL);
        // The bytes lie where they are as long as the vector is not changed, and nobody can reach it.
        self.push(
            entry.build(),
            Operation::Send {
                client,
                bytes,
                _transport: Rc::clone(transport),
            },
        )
    }

    /// Says when the time has come, which is `after` from now. A time that was set before and has not come is
    /// forgotten.
    pub(crate) fn wake(&mut self, after: Duration) {
        let after = Box::new(Timespec::from(after));
        let pointer = &raw const *after;
        if let Some(id) = self.timeout {
            // If it has just come, this fails, and the completion that says so is enough.
            let entry = opcode::TimeoutUpdate::new(id as u64, pointer).build();
            self.push(entry, Operation::TimeoutUpdate { _after: after });
        } else {
            let entry = opcode::Timeout::new(pointer).build();
            let OperationId(id) = self.push(entry, Operation::Timeout { _after: after });
            self.timeout = Some(id);
        }
    }

    /// Lets an operation complete soon, whatever comes of it.
    pub(crate) fn cancel(&mut self, OperationId(id): OperationId) {
        // If it has just completed, this fails, which serves as well.
        let entry = opcode::AsyncCancel::new(id as u64).build();
        self.push(entry, Operation::Cancel);
    }

    /// Gives the kernel what it has to do. If it `waits`, then until something has completed.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub(crate) fn wait(&mut self, waits: bool) -> io::Result<()> {
        loop {
            let mut entries = self.uring.submission();
            while !entries.is_full()
                && let Some(entry) = self.waiting.pop_front()
            {
                // SAFETY: all that the entry points at is in `operations` until the kernel says that it has completed,
                // and longer: `push` put it there, only `take` removes it, and `drop` leaks it.
                let pushed = unsafe { entries.push(&entry) };
                debug_assert!(pushed.is_ok(), "the queue was not full");
            }
            drop(entries);
            let more = !self.waiting.is_empty();
            match self.uring.submit_and_wait(usize::from(waits && !more)) {
                Ok(_) if more => {}
                Ok(_) => return Ok(()),
                // EBUSY: completions have to be taken first.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the kernel has not been given all entries, or has completions that there was no room for. Then wait again.
    pub(crate) fn is_behind(&mut self) -> bool {
        let entries = self.uring.submission();
        !self.waiting.is_empty() || !entries.is_empty() || entries.cq_overflow()
    }

    /// Takes what has completed.
    pub(crate) fn take(&mut self) -> Option<Completion> {
        loop {
            let entry = self.uring.completion().next()?;
            if let Some(completion) = self.completed(&entry) {
                return Some(completion);
            }
        }
    }

    /// What came of an operation, if anybody has to know.
    fn completed(&mut self, entry: &cqueue::Entry) -> Option<Completion> {
        let id = usize::try_from(entry.user_data()).ok()?;
        // The error is the negative of its number.
        let result = u32::try_from(entry.result())
            .map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        let last = !cqueue::more(entry.flags());
        if let Operation::Accept { .. } = self.operations.get(id)? {
            if last {
                self.operations.remove(id);
            }
            // SAFETY: the kernel has just opened it for this program, and tells nobody but here.
            let owned = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
            let result = result.map(|_| TcpStream::from(owned(entry.result())));
            return Some(Completion::Accepted { result, last });
        }
        match self.operations.remove(id) {
            Operation::Receive { client, .. } => {
                let buffer = cqueue::buffer_select(entry.flags());
                let length = result.as_ref().map_or(0, |length| *length);
                let filled = Filled::new(buffer, length);
                let result = match result {
                    Ok(_) => Ok(Some(filled)),
                    Err(error) => {
                        // Some kernels take a buffer even if nothing comes.
                        self.give_back(filled);
                        let again = error.kind() == ErrorKind::Interrupted
                            || error.raw_os_error() == Some(libc::ENOBUFS);
                        if again { Ok(None) } else { Err(error) }
                    }
                };
                Some(Completion::Received { client, result })
            }
            Operation::Send { client, bytes, .. } => {
                let result = match result {
                    Ok(length) => Ok(length as usize),
                    Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
                    Err(error) => Err(error),
                };
                Some(Completion::Sent {
                    client,
                    bytes,
                    result,
                })
            }
            Operation::Timeout { .. } => {
                self.timeout = None;
                Some(Completion::Time)
            }
            Operation::Accept { .. } | Operation::TimeoutUpdate { .. } | Operation::Cancel => None,
        }
    }

    /// What was received.
    pub(crate) fn received(&self, filled: &Filled) -> &[u8] {
        self.buffers.bytes(filled)
    }

    /// Lets the kernel use the buffer again.
    pub(crate) fn give_back(&mut self, filled: Filled) {
        self.buffers.give_back(filled);
    }

    fn push(&mut self, entry: Entry, operation: Operation) -> OperationId {
        let id = self.operations.insert(operation);
        self.waiting.push_back(entry.user_data(id as u64));
        OperationId(id)
    }
}

impl Drop for Ring {
    /// To close a ring does not wait for the operations under way, so what they use is never given back.
    fn drop(&mut self) {
        mem::forget(mem::take(&mut self.operations));
    }
}
