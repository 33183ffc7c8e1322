//! Somebody else's site, as a browser sees it: another port of loopback with one page.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

/// Serves `page` at every path, from a thread that ends with the program; answers its address.
pub(super) fn site(page: String) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let head = BufReader::new(&stream).lines().map_while(Result::ok);
            let asked = head.take_while(|line| !line.is_empty()).count();
            // Whoever hangs up without asking gets nothing; whoever hangs up early does not mind.
            if asked > 0 {
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                    page.len()
                );
            }
        }
    });
    Ok(url)
}
