//! What is asked of sockets and not in tokio: ending, and losing packets.
//!
//! Packets are lost for real where the kernel lets a program filter what its own sockets receive: nothing is
//! acknowledged then, so that TCP's retransmissions and keepalives meet what they would meet on a dead path.

use std::io;
use std::net::{Shutdown, SocketAddr};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that may wait for the link to take them; more than a few runtimes ever open at once.
const BACKLOG: u32 = 128;
/// What the kernel may take in for a connection before the link reads it (it grants twice as much). A sender
/// notices a slow link once this is full; below 64 KiB loopback's own large segments would stall.
const RECEIVE_BYTES: u32 = 128 * 1024;

/// Takes the address. Nobody can connect before somebody listens.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Listens on the address.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address)?.listen(BACKLOG)
}

/// Connects to `host:port`, to whichever of its addresses answers.
pub(super) async fn connect(to: &str) -> io::Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in tokio::net::lookup_host(to).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_recv_buffer_size(RECEIVE_BYTES)?;
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Refuses from here on, also where a process that is just being started still holds a copy of the socket.
pub(super) fn end_listening(listener: &TcpListener) {
    // Closing it refuses too, only later: nothing to do about an error.
    let _ = SockRef::from(listener).shutdown(Shutdown::Both);
}

/// Takes a connection that the kernel completed and nobody took yet.
pub(super) fn take_waiting(listener: &TcpListener) -> Option<TcpStream> {
    let (socket, _) = SockRef::from(listener).accept().ok()?;
    socket.set_nonblocking(true).ok()?;
    TcpStream::from_std(socket.into()).ok()
}

/// Tells the other end that nothing more comes, after what was written.
pub(super) fn end_writing(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).shutdown(Shutdown::Write)
}

/// Closes with a reset: the other end learns at once and keeps nothing half-open.
pub(super) fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Whether packets can be lost here.
pub(super) fn check_dropping() -> io::Result<()> {
    if cfg!(target_os = "linux") {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "only Linux can lose packets: close with `cut` or `silent`",
        ))
    }
}

/// Loses, or no longer loses, every packet that arrives for the socket.
#[cfg(target_os = "linux")]
pub(super) fn drop_packets<'s>(socket: impl Into<SockRef<'s>>, is_dropping: bool) -> io::Result<()> {
    /// `BPF_RET | BPF_K` with 0: keep nothing of the packet (linux/filter.h).
    const NOTHING: socket2::SockFilter = socket2::SockFilter::new(0x06, 0, 0, 0);
    let socket = socket.into();
    if is_dropping {
        return socket.attach_filter(&[NOTHING]);
    }
    match socket.detach_filter() {
        // There was none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        detached => detached,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn drop_packets<'s>(_socket: impl Into<SockRef<'s>>, is_dropping: bool) -> io::Result<()> {
    if is_dropping { check_dropping() } else { Ok(()) }
}
