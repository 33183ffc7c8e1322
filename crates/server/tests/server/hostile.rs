//! Clients that mean no good.

use std::time::{Duration, Instant};

use tidegate_core::wire::EnrolmentCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::machine::Machine;
use crate::plane::{Home, enrolment_code};

#[tokio::test]
async fn guessing_codes_is_stopped_and_good_codes_are_not() {
    let home = Home::new();
    let running = home.serve().await;
    let mut owner = home.owner(&running).await;
    let code = enrolment_code(&mut owner).await;
    let mut line = Client::connect(running.addresses().people, None).await;
    for number in 0..40 {
        Machine::new(number).enrol(&mut line, &code).await;
    }
    let good: EnrolmentCode = code.parse().unwrap();
    let guess = EnrolmentCode { secret: [7; 16], ..good };
    let mut refusals = Vec::new();
    for _ in 0..25 {
        refusals.push(Machine::new(99).ask_to_enrol(&mut line, &guess).await.status.as_u16());
    }
    assert_eq!(refusals[..20], [403; 20]);
    assert_eq!(refusals[21..], [429; 4]);
    running.shutdown().await;
}

#[tokio::test]
async fn a_head_that_never_ends_costs_a_connection_ten_seconds() {
    let home = Home::new();
    let running = home.serve().await;
    let mut slow = TcpStream::connect(running.addresses().people).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let began = Instant::now();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(15)).contains(&took), "{took:?}");
    running.shutdown().await;
}

#[tokio::test]
async fn garbage_is_refused_and_the_server_goes_on() {
    let home = Home::new();
    let running = home.serve().await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\0\0\0\0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(running.addresses().people).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    Client::connect(running.addresses().people, None).await.get("/healthz").await.expect(200);
    running.shutdown().await;
}
