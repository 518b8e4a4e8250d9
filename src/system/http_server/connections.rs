//! The open connections of a server.

use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// One end of a connection: its socket, for the thread that serves it and for the one that stops the server.
pub(super) struct Peer {
    pub stream: TcpStream,
    /// Its thread waits for a request.
    pub idle: AtomicBool,
}

/// Every connection is in here until its thread has let go of it.
pub(super) struct Connections {
    most: usize,
    ending: AtomicBool,
    open: Mutex<HashMap<u64, Arc<Peer>>>,
    /// A connection has been removed, or the server is stopping.
    changed: Condvar,
}

impl Connections {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            ending: AtomicBool::new(false),
            open: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The server is stopping: no connection gets another request.
    pub fn are_ending(&self) -> bool {
        self.ending.load(SeqCst)
    }

    /// Waits until fewer than the most connections are open. Returns false if the server is stopping.
    pub fn wait_for_room(&self) -> bool {
        let mut open = self.open.lock();
        let full = |open: &mut HashMap<_, _>| open.len() >= self.most && !self.are_ending();
        self.changed.wait_while(&mut open, full);
        !self.are_ending()
    }

    /// Waits for this time, or until the server is stopping.
    pub fn pause(&self, time: Duration) {
        let mut open = self.open.lock();
        let goes_on = |_: &mut HashMap<_, _>| !self.are_ending();
        self.changed.wait_while_for(&mut open, goes_on, time);
    }

    /// Adds a connection under a number of its own.
    pub fn add(self: &Arc<Self>, number: u64, stream: TcpStream) -> Registered {
        let idle = AtomicBool::new(true);
        let peer = Arc::new(Peer { stream, idle });
        self.open.lock().insert(number, Arc::clone(&peer));
        Registered {
            number,
            peer,
            connections: Arc::clone(self),
        }
    }

    /// Has [`wait_for_room`](Self::wait_for_room) and [`pause`](Self::pause) return.
    pub fn begin_to_end(&self) {
        let _open = self.open.lock();
        self.ending.store(true, SeqCst);
        self.changed.notify_all();
    }

    /// Closes the idle connections.
    pub fn close_idle(&self) {
        let open = self.open.lock();
        for peer in open.values().filter(|peer| peer.idle.load(SeqCst)) {
            peer.end_if_quiet();
        }
    }

    /// Cuts all connections off.
    pub fn cut(&self) {
        for peer in self.open.lock().values() {
            let _ = peer.stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until no connection is open, for at most `patience`. Returns whether none is.
    pub fn wait_for_end(&self, patience: Duration) -> bool {
        let mut open = self.open.lock();
        let deadline = Instant::now().checked_add(patience);
        let some = |open: &mut HashMap<_, _>| !open.is_empty();
        match deadline {
            Some(deadline) => !self
                .changed
                .wait_while_until(&mut open, some, deadline)
                .timed_out(),
            None => {
                self.changed.wait_while(&mut open, some);
                true
            }
        }
    }
}

impl Peer {
    /// Ends the wait for a request, unless one has begun to arrive: that one is still answered.
    pub fn end_if_quiet(&self) {
        #[cfg(unix)]
        {
            use rustix::net::{RecvFlags, recv};
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            if recv(&self.stream, &mut [0_u8; 1], flags).is_ok_and(|(count, _)| count > 0) {
                return;
            }
        }
        // A connection that broke has ended, too.
        let _ = self.stream.shutdown(Shutdown::Read);
    }
}

/// A connection among the [`Connections`], for as long as this lives.
pub(super) struct Registered {
    number: u64,
    pub peer: Arc<Peer>,
    pub connections: Arc<Connections>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.remove(&self.number);
        self.connections.changed.notify_all();
    }
}
