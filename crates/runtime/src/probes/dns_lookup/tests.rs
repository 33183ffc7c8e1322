//! The check against name servers of its own.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// One A record of 10.20.0.5, good for a minute, for the name asked.
const A_RECORD: &[u8] = b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\x0A\x14\0\x05";

async fn asked(with: Value) -> Report {
    let with: Map<String, Value> = example(with);
    DnsLookup.spec().check(&with).unwrap();
    let with = arguments(with).unwrap_or_else(|Refusal(reason)| panic!("{reason}"));
    look_up(with, Resolver::default(), &Policy::default())
        .await
        .unwrap_or_else(|Refusal(reason)| panic!("{reason}"))
}

/// The question made into an answer with these flags and records.
fn answer(question: &[u8], flags: [u8; 2], count: u8, records: &[u8]) -> Vec<u8> {
    let mut message = question.to_vec();
    message[2..4].copy_from_slice(&flags);
    message[7] = count;
    message.extend(records);
    message
}

/// A name server for as many questions as come; `reply` makes the datagrams for each.
async fn server(reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    serve(UdpSocket::bind("127.0.0.1:0").await.unwrap(), reply)
}

/// One port for both transports. A port that is free for one may be taken for the other, by any program of
/// this machine: then it is another one's turn.
async fn both_transports() -> (UdpSocket, TcpListener) {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        match TcpListener::bind(socket.local_addr().unwrap()).await {
            Ok(listener) => return (socket, listener),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{error}"),
        }
    }
}

fn serve(socket: UdpSocket, reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut question = [0; 512];
        loop {
            let (count, from) = socket.recv_from(&mut question).await.unwrap();
            for datagram in reply(&question[..count]) {
                socket.send_to(&datagram, from).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_is_asked_for_both_kinds_of_addresses() {
    let is_a = |question: &[u8]| question[question.len() - 3] == 1;
    let server = server(move |question| {
        let has = is_a(question);
        vec![answer(question, [0x81, 0x80], u8::from(has), if has { A_RECORD } else { b"" })]
    })
    .await;
    let report = asked(json!({ "name": "plc7.plant", "server": server.to_string() })).await;
    assert_eq!(report.result.finding, Finding::Ok, "{report:?}");
    assert!(report.result.summary.starts_with("`plc7.plant` is 10.20.0.5 ("), "{report:?}");
    assert_eq!(report.result.data["records"][0]["ttl_seconds"], 60);
    assert_eq!(report.result.data["exchanges"].as_array().unwrap().len(), 2);
    assert!(report.result.output.head.starts_with("plc7.plant 60 A 10.20.0.5\n"), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_server_refuses_is_told_in_words() {
    for (rcode, words) in [(3, "does not exist"), (2, "SERVFAIL"), (5, "REFUSED"), (0, "has no MX record")] {
        let server = server(move |question| vec![answer(question, [0x81, 0x80 | rcode], 0, b"")]).await;
        let with = json!({ "name": "plc7.plant", "kind": "MX", "server": server.to_string() });
        let report = asked(with).await;
        assert_eq!((report.succeeded, report.result.finding), (true, Finding::Attention));
        assert!(report.result.summary.contains(words), "{report:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn garbage_and_forged_answers_do_not_keep_the_true_one_out() {
    let server = server(|question| {
        let mut forged =
            answer(question, [0x81, 0x80], 1, b"\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04\x01\x01\x01\x01");
        forged[0] ^= 0xFF;
        let truth = answer(question, [0x81, 0x80], 1, A_RECORD);
        vec![b"garbage".to_vec(), question[..7].to_vec(), truth[..truth.len() - 3].to_vec(), forged, truth]
    })
    .await;
    let report = asked(json!({ "name": "plc7", "kind": "A", "server": server.to_string() })).await;
    assert!(report.result.summary.starts_with("`plc7` is 10.20.0.5 ("), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn nothing_but_garbage_is_not_dns_and_nothing_at_all_is_silence() {
    let garbage = server(|_| vec![b"HTTP/1.1 400 Bad Request".to_vec()]).await;
    let with = |server: SocketAddr| json!({ "name": "plc7", "kind": "A", "server": server.to_string(), "timeout_ms": 300 });
    let report = asked(with(garbage)).await;
    let words = format!("no answer from {garbage}: what answered does not speak DNS");
    assert_eq!((report.result.summary, report.result.finding), (words, Finding::Attention));
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let report = asked(with(address)).await;
    assert_eq!(report.result.summary, format!("no answer from {address} within 300 ms"));
    drop(silent);
    let report = asked(with(address)).await;
    assert!(report.result.summary.contains("Connection refused"), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_cut_answer_is_fetched_over_tcp() {
    let (socket, listener) = both_transports().await;
    let cut = serve(socket, |question| vec![answer(question, [0x83, 0x80], 0, b"")]);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut question).await.unwrap();
        let records = b"\xC0\x0C\0\x10\0\x01\0\0\0\x3C\0\x04\x03abc".repeat(100);
        let answer = answer(&question, [0x81, 0x80], 100, &records);
        stream.write_u16(answer.len() as u16).await.unwrap();
        stream.write_all(&answer).await.unwrap();
    });
    let report = asked(json!({ "name": "plc7", "kind": "TXT", "server": cut.to_string() })).await;
    assert_eq!(report.result.data["exchanges"][0]["transport"], "tcp", "{report:?}");
    assert_eq!(report.result.data["records"].as_array().unwrap().len(), 100);
    assert!(report.result.summary.starts_with("`plc7` is \"abc\" ("), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_address_is_asked_for_by_its_reverse_name() {
    let server = server(|question| {
        vec![answer(question, [0x81, 0x80], 1, b"\xC0\x0C\0\x0C\0\x01\0\0\0\x05\0\x06\x04plc7\0")]
    })
    .await;
    let report = asked(json!({ "name": "10.20.0.5", "kind": "PTR", "server": server.to_string() })).await;
    assert!(report.result.summary.starts_with("`5.0.20.10.in-addr.arpa` is plc7 ("), "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_system_knows_localhost_and_not_what_cannot_be() {
    let report = asked(json!({ "name": "localhost", "kind": "A" })).await;
    assert_eq!((report.result.finding, &report.result.data["via"]), (Finding::Ok, &json!("system")));
    assert!(report.result.summary.starts_with("`localhost` is 127.0.0.1 ("), "{report:?}");
    let report = asked(json!({ "name": "no-such-machine.invalid" })).await;
    assert_eq!(report.result.finding, Finding::Attention, "{report:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_is_no_address_is_refused_and_none_at_all_is_found() {
    let with = |server: Option<&str>, name: &str| Arguments {
        name: name.into(),
        kind: "MX".into(),
        server: server.map(Into::into),
        timeout_ms: 100,
    };
    let refused = look_up(with(Some("dns.example"), "a"), Resolver::default(), &Policy::default()).await;
    assert!(matches!(refused, Err(Refusal(_))));
    assert!(matches!(
        look_up(with(Some("::1"), "a..b"), Resolver::default(), &Policy::default()).await,
        Err(Refusal(_))
    ));
    let report =
        look_up(with(None, "a"), Resolver::default(), &Policy::default()).await.unwrap_or_else(|_| panic!());
    assert_eq!(report.result.finding, Finding::Attention);
    assert!(report.result.summary.contains("/etc/resolv.conf"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_the_policy_does_not_allow_is_not_asked() {
    let ask = |server: &str| Arguments {
        name: "a.example".into(),
        kind: "MX".into(),
        server: Some(server.into()),
        timeout_ms: 100,
    };
    let policy = Policy { net: Some(vec!["10.20.0.1:53".into()]), ..Policy::default() };
    for (server, policy) in
        [("127.0.0.1:5353", &policy), ("10.20.0.1:54", &policy), ("169.254.169.254", &Policy::default())]
    {
        let refused = look_up(ask(server), Resolver::default(), policy).await;
        assert!(
            matches!(&refused, Err(Refusal(words)) if words.contains("--allow-net")),
            "{server}: {refused:?}"
        );
    }
}
