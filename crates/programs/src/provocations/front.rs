//! What stands where a control plane or a proxy should be, and requests as anybody can make them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::Context as _;
use serde_json::Value;

use crate::harness::{Connection, loopback, request_bytes};

/// An answer that is read whole.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) body: Value,
    /// Status line and headers.
    pub(super) head: String,
    /// The cookie it sets, name and value.
    pub(super) cookie: Option<String>,
}

/// Requests to one port of loopback, bytes as they are written.
pub(super) struct Asker {
    tokio: tokio::runtime::Runtime,
    to: SocketAddr,
    token: String,
}

impl Asker {
    /// Asks `port` with an API token.
    pub(super) fn new(port: u16, token: &str) -> anyhow::Result<Self> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { tokio, to: SocketAddr::from(([127, 0, 0, 1], port)), token: token.to_owned() })
    }

    /// Sends JSON with the token.
    pub(super) fn json(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Answered> {
        let token = format!("Bearer {}", self.token);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
        self.ask(method, path, &headers, body)
    }

    /// Sends JSON with the token and one more header.
    pub(super) fn with(
        &self,
        method: &str,
        path: &str,
        header: (&str, &str),
        body: &[u8],
    ) -> anyhow::Result<Answered> {
        let token = format!("Bearer {}", self.token);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json"), header];
        self.ask(method, path, &headers, body)
    }

    /// Sends exactly that.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answered> {
        self.ask_from(0, method, path, headers, body)
    }

    /// Sends exactly that from another address of loopback: some limits are for each address.
    pub(super) fn ask_from(
        &self,
        number: usize,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Answered> {
        let bytes = request_bytes(method, path, headers, body);
        self.tokio.block_on(async {
            let mut connection = Connection::open(self.to, loopback(number)).await?;
            let (status, body) = {
                // A body that is too large is answered before it was taken whole: that is no failure to send.
                let sent = connection.send(&bytes).await;
                let answer = match connection.answer().await {
                    Ok(answer) => answer,
                    Err(error) => {
                        sent.context("failed to send")?;
                        return Err(error.into());
                    }
                };
                let body = serde_json::from_slice(answer.body)
                    .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(answer.body).into_owned()));
                (answer.status, body)
            };
            let head = String::from_utf8_lossy(connection.received());
            let head = head.split("\r\n\r\n").next().unwrap_or_default();
            let cookies = head.lines().filter_map(|line| line.split_once(": "));
            let mut cookies = cookies.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
            let cookie = cookies.next().and_then(|(_, set)| set.split(';').next()).map(str::to_owned);
            Ok(Answered { status, body, head: head.to_lowercase(), cookie })
        })
    }
}

/// A server that says one thing to everybody who has said something, for as long as the program runs.
pub(super) fn always(answer: &'static str) -> anyhow::Result<u16> {
    listening(move |mut client: TcpStream| {
        let mut heard = [0; 4096];
        let _ = client.read(&mut heard);
        let _ = client.write_all(answer.as_bytes());
    })
}

/// A server that hears everything and never says a word.
pub(super) fn silent() -> anyhow::Result<u16> {
    listening(|mut client: TcpStream| {
        let mut heard = [0; 4096];
        while client.read(&mut heard).is_ok_and(|count| count > 0) {}
    })
}

/// A server that hangs up on everybody who has said something.
pub(super) fn hanging_up() -> anyhow::Result<u16> {
    always("")
}

fn listening(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr().context("a listener has an address")?.port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(client));
        }
    });
    Ok(port)
}

/// A port where a connection is neither taken nor refused: its queue is full and nobody empties it.
pub(super) struct Swallowing {
    listener: TcpListener,
    _queued: Vec<rustix::fd::OwnedFd>,
}

impl Swallowing {
    /// Fills the queue of a fresh one.
    pub(super) fn start() -> anyhow::Result<Self> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, listen, socket_with};
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listen(&listener, 0)?;
        let to = listener.local_addr()?;
        let mut queued = Vec::new();
        // More than a queue of no length takes, whatever the system adds to it.
        for _ in 0..8 {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
            match connect(&socket, &to) {
                Ok(()) | Err(rustix::io::Errno::INPROGRESS) => queued.push(socket),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { listener, _queued: queued })
    }

    /// Its port.
    pub(super) fn port(&self) -> anyhow::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }
}

/// Runs a command where a directory lies on another disk.
pub(super) type Within = Box<dyn Fn(&std::path::Path, &std::process::Command) -> std::process::Command>;

/// Runs a command where its directory is on a disk that is read-only; `None`: nothing can be mounted here.
pub(super) fn on_read_only_disk() -> Option<Within> {
    within("mount --bind \"$D\" \"$D\" && mount -o remount,bind,ro \"$D\"")
}

/// The same on a copy of the directory on a disk that is full.
pub(super) fn on_full_disk() -> Option<Within> {
    within(
        "mkdir \"$D.disk\" && mount -t tmpfs -o size=1m,mode=700 tmpfs \"$D.disk\" && cp -a \"$D/.\" \"$D.disk\" && \
         mount --bind \"$D.disk\" \"$D\" && { dd if=/dev/zero of=\"$D/filler\" bs=4k 2>/dev/null || true; }",
    )
}

/// The same on an empty disk that forgets.
pub(super) fn on_forgetful_disk() -> Option<Within> {
    within("mount -t tmpfs -o size=64m,mode=700 tmpfs \"$D\"")
}

/// The mounts are in a namespace that ends with the command.
fn within(prepare: &'static str) -> Option<Within> {
    use std::process::Command;
    let can = |rights: &[&str]| {
        let tried =
            Command::new("unshare").args(rights).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let own = ["--mount", "--propagation", "private", "--user", "--map-root-user"];
    let rights: Vec<&str> = if can(&own[..3]) {
        own[..3].to_vec()
    } else if can(&own) {
        own.to_vec()
    } else {
        return None;
    };
    Some(Box::new(move |directory, command| {
        let mut wrapped = super::book::program(std::path::Path::new("unshare"));
        let script = format!("{{ {prepare}; }} >&2 || exit 99; exec \"$@\"");
        wrapped
            .args(&rights)
            .args(["sh", "-c", &script, "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped.env("D", directory);
        wrapped
    }))
}

/// Whether disks and files can be mounted for other users' programs too, in a namespace of its own.
pub(super) fn may_mount() -> bool {
    rustix::process::geteuid().is_root() && on_read_only_disk().is_some()
}

/// Says which codes are not met on a computer where nothing can be mounted.
pub(super) fn not_here(book: &mut super::book::Book, codes: &[&'static str]) -> anyhow::Result<()> {
    let why = "not provoked: no disk can be mounted here, in a namespace of its own";
    codes.iter().try_for_each(|code| book.said(code, why, String::new(), &[]))
}
