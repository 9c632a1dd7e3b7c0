//! The ring: the kernel runs operations asynchronously and reports their results.
//!
//! While an operation is pending, the kernel reads and writes memory of this program. So callers give that memory to
//! the ring, which owns it until the kernel reports that the operation has completed. That makes the functions of this
//! module safe to call. All unsafe code of the program is here.

#![expect(
    unsafe_code,
    reason = "the memory behind an entry must stay valid, and no type can express that"
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

use buffers::{Buffers, GROUP};
pub(crate) use buffers::{Filled, Place, SIZE};

mod buffers;

/// The number of entries that the kernel takes at once. More entries wait for the next time.
const ENTRIES: u32 = 256;

/// The number of completions in the queue. The kernel keeps more completions until there is room.
const COMPLETIONS: u32 = 4096;

/// The operations of the kernel and their results.
pub(crate) struct Ring {
    uring: IoUring,
    /// The pending operations. The kernel returns the number of the operation with each completion.
    operations: Slab<Operation>,
    buffers: Buffers,
    /// Entries that the kernel does not have yet.
    waiting: VecDeque<Entry>,
    /// The number of the pending timeout. At most one is pending.
    timeout: Option<usize>,
}

/// A pending operation, with everything that its entry points to. It also keeps the transport open. Otherwise another
/// file could get the transport's number before the kernel sees the entry.
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
        bytes: Unsent,
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

/// Identifies an operation, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OperationId(usize);

/// Bytes to send. The first ones may already be sent.
#[derive(Debug)]
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    start: usize,
}

impl Unsent {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, start: 0 }
    }

    /// The transport took the next `n` bytes.
    pub(crate) fn advance(&mut self, n: usize) {
        self.start += n;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The vector, for other bytes.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// The result of an operation.
pub(crate) enum Completion {
    /// A new connection. More connections follow, unless `last` is set. Then accept again.
    Accepted {
        result: io::Result<TcpStream>,
        last: bool,
    },
    /// Received bytes. No bytes mean the end of the stream. `None` means that all buffers were in use. Then receive
    /// again while there are [free buffers](Ring::free_buffers).
    Received {
        client: usize,
        result: io::Result<Option<Filled>>,
    },
    /// The number of these bytes that the transport took.
    Sent {
        client: usize,
        bytes: Unsent,
        result: io::Result<usize>,
    },
    /// The timeout has passed.
    Time,
}

impl Ring {
    /// Creates a ring with buffers to receive into.
    ///
    /// # Errors
    ///
    /// The kernel's error, for example if it refuses rings to this program.
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

    /// Accepts connections until a completion says that it was the last.
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

    /// Receives once, when something arrives. Only then does the kernel take one of the shared buffers. So silent
    /// clients need no buffers.
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

    /// Sends as many of these bytes as the transport takes at once. The completion returns them all.
    pub(crate) fn send(
        &mut self,
        client: usize,
        transport: &Rc<TcpStream>,
        bytes: Unsent,
    ) -> OperationId {
        let rest = bytes.rest();
        // An entry has room for this length. Later sends take the rest.
        let length = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(transport.as_raw_fd()), rest.as_ptr(), length)
            .flags(libc::MSG_NOSIGNAL);
        // The bytes do not move while nothing changes the vector. Only the ring can access it.
        self.push(
            entry.build(),
            Operation::Send {
                client,
                bytes,
                _transport: Rc::clone(transport),
            },
        )
    }

    /// Sets the timeout: a completion arrives `after` this time. It replaces a pending timeout.
    pub(crate) fn wake(&mut self, after: Duration) {
        let after = Box::new(Timespec::from(after));
        let pointer = &raw const *after;
        if let Some(id) = self.timeout {
            // If the timeout has just passed, this fails, and its completion is enough.
            let entry = opcode::TimeoutUpdate::new(id as u64, pointer).build();
            self.push(entry, Operation::TimeoutUpdate { _after: after });
        } else {
            let entry = opcode::Timeout::new(pointer).build();
            let OperationId(id) = self.push(entry, Operation::Timeout { _after: after });
            self.timeout = Some(id);
        }
    }

    /// Cancels an operation. It completes soon, with any result.
    pub(crate) fn cancel(&mut self, OperationId(id): OperationId) {
        // If the operation has just completed, this fails and does no harm.
        let entry = opcode::AsyncCancel::new(id as u64).build();
        self.push(entry, Operation::Cancel);
    }

    /// Gives all entries to the kernel. If `waits` is set, waits until an operation has completed.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    pub(crate) fn wait(&mut self, waits: bool) -> io::Result<()> {
        loop {
            let mut entries = self.uring.submission();
            while !entries.is_full()
                && let Some(entry) = self.waiting.pop_front()
            {
                // SAFETY: `operations` owns everything that the entry points to. `push` put it there. Only `take`
                // removes it, after the kernel has reported the completion, and `drop` leaks it.
                let pushed = unsafe { entries.push(&entry) };
                debug_assert!(pushed.is_ok(), "the queue was not full");
            }
            drop(entries);
            let more = !self.waiting.is_empty();
            match self.uring.submit_and_wait(usize::from(waits && !more)) {
                Ok(_) if more => {}
                Ok(_) => return Ok(()),
                // EBUSY: the loop must take completions first.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether entries still wait for the kernel, or completions wait for room in the queue. Then wait again.
    pub(crate) fn is_behind(&mut self) -> bool {
        let entries = self.uring.submission();
        !self.waiting.is_empty() || !entries.is_empty() || entries.cq_overflow()
    }

    /// Takes the next completion.
    pub(crate) fn take(&mut self) -> Option<Completion> {
        loop {
            let entry = self.uring.completion().next()?;
            if let Some(completion) = self.completed(&entry) {
                return Some(completion);
            }
        }
    }

    /// The result of an operation, if the loop needs it.
    fn completed(&mut self, entry: &cqueue::Entry) -> Option<Completion> {
        let id = usize::try_from(entry.user_data()).ok()?;
        // A negative result is an error number.
        let result = u32::try_from(entry.result())
            .map_err(|_| io::Error::from_raw_os_error(-entry.result()));
        let last = !cqueue::more(entry.flags());
        if let Operation::Accept { .. } = self.operations.get(id)? {
            if last {
                self.operations.remove(id);
            }
            // SAFETY: the kernel has just opened this descriptor for this program. Nothing else has its number.
            let owned = |fd| unsafe { OwnedFd::from_raw_fd(fd) };
            let result = result.map(|_| TcpStream::from(owned(entry.result())));
            return Some(Completion::Accepted { result, last });
        }
        match self.operations.remove(id) {
            Operation::Receive { client, .. } => {
                let buffer = cqueue::buffer_select(entry.flags());
                let length = result.as_ref().map_or(0, |length| *length);
                let filled = self.buffers.take(buffer, length);
                let result = match result {
                    Ok(_) => Ok(Some(filled)),
                    Err(error) => {
                        // Some kernels take a buffer even if nothing arrives.
                        self.give_back(filled.place, Some(filled.memory));
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

    /// The number of buffers that the kernel can receive into.
    pub(crate) const fn free_buffers(&self) -> usize {
        self.buffers.free()
    }

    /// Lets the kernel receive into a buffer again. If there is no memory of [`SIZE`] bytes, this makes some.
    pub(crate) fn give_back(&mut self, place: Place, memory: Option<Vec<u8>>) {
        self.buffers.give_back(place, memory);
    }

    fn push(&mut self, entry: Entry, operation: Operation) -> OperationId {
        let id = self.operations.insert(operation);
        self.waiting.push_back(entry.user_data(id as u64));
        OperationId(id)
    }
}

impl Drop for Ring {
    /// Leaks the memory of pending operations and of the buffers, because closing a ring does not wait for them.
    fn drop(&mut self) {
        mem::forget(mem::take(&mut self.operations));
        self.buffers.leak();
    }
}
