//! A path that does what real ones do: comes from another address, and alters what it carries.

use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How a detour behaves.
#[derive(Clone, Copy, Debug)]
pub struct DetourOptions {
    /// The port of loopback it leads to.
    pub to: u16,
    /// The loopback address that connections come from, as the control plane sees it.
    pub from: IpAddr,
    /// What it alters.
    pub tamper: Tamper,
}

/// What a detour alters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// Nothing.
    Nothing,
    /// One byte inside the first signed payload of so many answers that carry orders.
    Orders {
        /// How many answers.
        answers: usize,
    },
}

/// A running detour; it stops with this value.
#[derive(Debug)]
pub struct Detour {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    altered: Arc<AtomicUsize>,
    recorded: Recorded,
}

/// What each connection has carried towards the control plane, in the order in which they were opened.
type Recorded = Arc<Mutex<Vec<Vec<u8>>>>;

/// Where syncs begin in a recording; their bodies are JSON or compressed and hold no such thing.
const SYNC: &[u8] = b"POST /runtime/v1/sync ";

impl Detour {
    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub fn start(options: DetourOptions) -> anyhow::Result<Self> {
        Self::start_at([127, 0, 0, 1].into(), options)
    }

    /// The same on a free port of another address of this host.
    ///
    /// # Errors
    ///
    /// When it cannot listen there.
    pub fn start_at(address: IpAddr, options: DetourOptions) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let (stopped, altered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let recorded = Recorded::default();
        let detour = Self { address, stopped: stopped.clone(), altered: altered.clone(), recorded };
        let recorded = Arc::clone(&detour.recorded);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (altered, recorded) = (altered.clone(), Arc::clone(&recorded));
                std::thread::spawn(move || {
                    let _ = carry(client, options, &altered, &recorded);
                });
            }
        });
        Ok(detour)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many answers it altered so far.
    pub fn altered(&self) -> usize {
        self.altered.load(Ordering::SeqCst)
    }

    /// Every sync that passed whole, head and body as they were sent, in order as long as one connection is open at a
    /// time.
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        let connections = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().flat_map(|bytes| syncs(bytes)).collect()
    }
}

fn syncs(bytes: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> =
        (0..bytes.len().saturating_sub(SYNC.len())).filter(|at| bytes[*at..].starts_with(SYNC)).collect();
    starts.into_iter().filter_map(|start| whole_request(&bytes[start..])).map(<[u8]>::to_vec).collect()
}

/// The request at the beginning of `bytes`; `None`: it is not there whole.
fn whole_request(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    bytes.get(..head + length.trim().parse::<usize>().ok()?)
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn carry(
    client: TcpStream,
    options: DetourOptions,
    altered: &AtomicUsize,
    recorded: &Recorded,
) -> anyhow::Result<()> {
    let server = connect_from(options.from, options.to)?;
    let (mut up_from, mut up_to) = (client.try_clone()?, server.try_clone()?);
    let recorded = Arc::clone(recorded);
    let number = {
        let mut connections = recorded.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(Vec::new());
        connections.len() - 1
    };
    std::thread::spawn(move || {
        let _ = copy(&mut up_from, &mut up_to, &mut |bytes| {
            plain_answers(bytes);
            recorded.lock().unwrap_or_else(PoisonError::into_inner)[number].extend_from_slice(bytes);
        });
        // A machine does not close half a connection: it is gone.
        let _ = up_to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (server, client);
    copy(&mut from, &mut to, &mut |bytes| match options.tamper {
        Tamper::Nothing => {}
        Tamper::Orders { answers } => alter_orders(bytes, answers, altered),
    })
}

fn connect_from(from: IpAddr, port: u16) -> anyhow::Result<TcpStream> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await?.into_std()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    })
}

fn copy(from: &mut TcpStream, to: &mut TcpStream, alter: &mut dyn FnMut(&mut [u8])) -> anyhow::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return Ok(());
        }
        alter(&mut buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}

/// Makes the control plane answer uncompressed, so that there is something to alter: same length, other header.
fn plain_answers(bytes: &mut [u8]) {
    let wanted = b"accept-encoding: deflate";
    let at = bytes.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted));
    if let Some(at) = at {
        bytes[at..at + 15].copy_from_slice(b"x-ignored-codin");
    }
}

/// Alters one character of the first signed payload in an answer that carries orders.
fn alter_orders(bytes: &mut [u8], answers: usize, altered: &AtomicUsize) {
    let find = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted);
    if altered.load(Ordering::SeqCst) >= answers {
        return;
    }
    let Some(offered) = find(bytes, b"\"offered\":[{") else { return };
    let Some(payload) = find(&bytes[offered..], b"\"payload\":\"") else { return };
    // Well inside the payload, past its first fields: base 64 stays base 64.
    let at = offered + payload + 60;
    if let Some(byte) = bytes.get_mut(at) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        altered.fetch_add(1, Ordering::SeqCst);
    }
}
