//! sockless with nothing but `epoll`: the shortest loop that keeps the rules. It has no deadlines.

use std::io::{self, Read as _};
use std::mem;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use slab::Slab;
use sockless::handshake::ServerOptions;
use sockless::{Config, Event, ReadBuffer, TransportAction};

use super::say_listening;
use crate::stage::Stage;

/// The number of the listener. The numbers of clients begin at 0.
const LISTENER: u64 = u64::MAX;

/// The least space for a read, in bytes. The shared buffer grows with the messages.
const READ: usize = 16 << 10;

/// The most bytes to read at once.
const MOST: u64 = 256 << 10;

struct Client {
    transport: TcpStream,
    stage: Stage,
    /// The start of a frame. Without one it has no memory.
    unread: ReadBuffer,
    interest: EventFlags,
}

/// Memory for the client that has its turn.
#[derive(Default)]
struct Shared {
    unread: ReadBuffer,
    output: Vec<u8>,
}

pub(super) fn serve() -> Result<(), String> {
    run().map_err(|error| error.to_string())
}

fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    say_listening(listener.local_addr()?);
    let mut clients = Slab::new();
    let mut shared = Shared::default();
    let mut ready = Vec::with_capacity(1024);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut ready), None)?;
        for event in ready.drain(..) {
            let data = event.data;
            if data.u64() == LISTENER {
                accept(&listener, &epoll, &mut clients)?;
                continue;
            }
            let id = usize::try_from(data.u64()).map_err(io::Error::other)?;
            if !turn(&mut clients[id], id, &epoll, &mut shared)? {
                clients.remove(id);
            }
        }
    }
}

fn accept(listener: &TcpListener, epoll: &OwnedFd, clients: &mut Slab<Client>) -> io::Result<()> {
    while let Ok((transport, _)) = listener.accept() {
        transport.set_nonblocking(true)?;
        transport.set_nodelay(true)?;
        let id = clients.vacant_key() as u64;
        epoll::add(epoll, &transport, EventData::new_u64(id), EventFlags::IN)?;
        clients.insert(Client {
            transport,
            stage: Stage::new(&Config::new()),
            unread: ReadBuffer::new(),
            interest: EventFlags::IN,
        });
    }
    Ok(())
}

/// Reads once, answers and writes. `epoll` reports the rest again. Returns whether the transport stays open.
fn turn(client: &mut Client, id: usize, epoll: &OwnedFd, shared: &mut Shared) -> io::Result<bool> {
    let Client {
        transport,
        stage,
        unread,
        interest,
    } = client;
    if unread.is_empty() {
        mem::swap(unread, &mut shared.unread);
    }
    if interest.contains(EventFlags::IN) {
        _ = unread.spare_mut(READ);
        let read = unread.read_from(&mut (&*transport).take(MOST));
        if stage.connection().is_some() || !matches!(read, Ok(1..)) {
            stage.end(|connection| _ = connection.handle_read(read));
        }
        let options = ServerOptions::new();
        stage.read_request(unread, &options.config, |request| request.accept(&options));
    }
    if let Some(connection) = stage.connection_mut()
        && connection.output_len() == 0
    {
        connection.take_output(&mut shared.output);
    }
    let drained = stage.take_events(unread, |connection, event| {
        // The output has room, so this fails only if the connection is closing.
        _ = match event {
            Event::Text { text, .. } => connection.send_text(text),
            Event::Binary { data, .. } => connection.send_binary(data),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
        };
    });
    let mut wanted = EventFlags::empty();
    wanted.set(EventFlags::IN, drained && stage.wants_read());
    if let Some(connection) = stage.connection_mut() {
        connection.write_to(transport);
        match connection.transport_action() {
            TransportAction::Close => return Ok(false),
            TransportAction::ShutdownWrite => {
                // This fails only if the peer is gone. The next read reports that.
                _ = transport.shutdown(Shutdown::Write);
                connection.handle_shutdown();
            }
            _ => {}
        }
        // Events that wait for room are taken when the transport has taken some output.
        wanted.set(EventFlags::OUT, !drained || connection.output_len() > 0);
        if connection.output_len() == 0 {
            connection.take_output(&mut shared.output);
        }
    }
    if unread.is_empty() {
        shared.unread = mem::take(unread);
    }
    if wanted != *interest {
        *interest = wanted;
        epoll::modify(epoll, &*transport, EventData::new_u64(id as u64), wanted)?;
    }
    Ok(true)
}
