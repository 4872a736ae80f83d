//! The minimum of a delivery: hyper and rustls send the same bytes with the same kind of
//! signature, ten at once, and read, decide and record nothing.
//!
//! `bench-bare-client URL ADDRESS AUTHORITY.pem SECRET HEADERS.json BODY`, where HEADERS is
//! `[["name", "value"], …]`. For each number on a line of standard input, it makes that many
//! requests and prints `done`.

use std::{fs, sync::Arc, time::Duration};

use bench_peers::{Result, Server, Webhook};
use http::Uri;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// The number of concurrent requests, as in a batch.
const AT_ONCE: usize = 10;

/// The time limit of a request. After it, the connection is dropped.
const TIMEOUT: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let client = Arc::new(from_arguments()?);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let each = line.parse::<usize>()? / AT_ONCE;
        let senders = [(); AT_ONCE].map(|()| tokio::spawn(send(Arc::clone(&client), each)));
        for sender in senders {
            sender.await??;
        }
        println!("done");
    }
    Ok(())
}

fn from_arguments() -> Result<(Server, Webhook)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, address, authority, secret, headers, body] = arguments.as_slice() else {
        return Err("six arguments: see the source".into());
    };
    let url: Uri = url.parse()?;
    let server = Server::new(&url, address.parse()?, authority)?;
    let headers = serde_json::from_str(headers)?;
    let webhook = Webhook::new(url.path(), secret, headers, fs::read(body)?)?;
    Ok((server, webhook))
}

/// Sends requests one after the other.
async fn send(client: Arc<(Server, Webhook)>, times: usize) -> Result<()> {
    let (server, webhook) = &*client;
    for _ in 0..times {
        if let Ok(answered) = timeout(TIMEOUT, server.exchange(webhook.request()?)).await {
            answered?;
        }
    }
    Ok(())
}
