use parking_lot::Mutex;
use socket2::Socket;
use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Weak};

/// All open sockets of a client, so that they can be shut down to interrupt every request at once.
#[derive(Debug, Default)]
pub(super) struct OpenSockets(Mutex<Sockets>);

#[derive(Debug, Default)]
struct Sockets {
    shut_down: bool,
    open: Vec<Weak<Socket>>,
    /// The length of `open` at which closed sockets are removed: twice what the last removal left, so that the cost of
    /// each new socket is constant.
    removal_at: usize,
}

impl OpenSockets {
    /// Adds a socket, unless they have been shut down.
    pub fn add(&self, stream: &Arc<Socket>) -> io::Result<()> {
        let mut sockets = self.0.lock();
        if sockets.shut_down {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if sockets.open.len() >= sockets.removal_at {
            sockets.open.retain(|socket| socket.strong_count() > 0);
            sockets.removal_at = (sockets.open.len() * 2).max(64);
        }
        sockets.open.push(Arc::downgrade(stream));
        Ok(())
    }

    pub fn are_shut_down(&self) -> bool {
        self.0.lock().shut_down
    }

    /// Ends every wait for a socket with an error, and refuses new sockets.
    pub fn shut_down(&self) {
        let mut sockets = self.0.lock();
        sockets.shut_down = true;
        for socket in sockets.open.drain(..).filter_map(|socket| socket.upgrade()) {
            // This fails only if the socket is closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
