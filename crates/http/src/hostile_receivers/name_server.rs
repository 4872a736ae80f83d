//! A scripted name server on loopback.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::receiver::LOOPBACK;

/// The largest UDP answer to a query without EDNS (RFC 1035, 4.2.1).
const MAX_UDP_BYTES: usize = 512;

/// The answer to a question.
#[derive(Clone)]
pub(super) enum Reply {
    Records(Vec<Record>),
    Error(ResponseCode),
    /// The header of an answer, without the records that it announces.
    Broken,
    Silence,
}

impl Reply {
    /// Answers with the addresses of the requested family.
    pub(super) fn addresses(question: &Query, addresses: &[&str]) -> Self {
        let records = addresses
            .iter()
            .map(|text| RData::from(text.parse::<IpAddr>().unwrap()))
            .filter(|data| data.record_type() == question.query_type())
            .map(|data| Record::from_rdata(question.name().clone(), 0, data));
        Self::Records(records.collect())
    }

    /// Sets the time to live of each record, in seconds.
    pub(super) fn living(mut self, seconds: u32) -> Self {
        if let Self::Records(records) = &mut self {
            for record in records {
                record.ttl = seconds;
            }
        }
        self
    }
}

/// Builds a record that makes one name an alias of another.
pub(super) fn alias(name: &str, target: &str) -> Record {
    let [name, target] = [name, target].map(|name| Name::from_ascii(name).unwrap());
    Record::from_rdata(name, 0, RData::CNAME(CNAME(target)))
}

type Script = dyn Fn(&Query) -> Reply + Send + Sync;

/// Serves UDP and TCP, each question on its own thread.
pub(super) struct NameServer {
    udp_port: u16,
    tcp_port: u16,
    questions: Arc<Mutex<Vec<Query>>>,
}

impl NameServer {
    pub(super) fn start(script: impl Fn(&Query) -> Reply + Send + Sync + 'static) -> Self {
        let questions = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&questions);
        let script: Arc<Script> = Arc::new(move |question| {
            asked.lock().unwrap().push(question.clone());
            script(question)
        });
        let udp = UdpSocket::bind((LOOPBACK, 0)).unwrap();
        let tcp = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let server = Self {
            udp_port: udp.local_addr().unwrap().port(),
            tcp_port: tcp.local_addr().unwrap().port(),
            questions,
        };
        let udp_script = Arc::clone(&script);
        thread::spawn(move || serve_udp(&udp, &udp_script));
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let script = Arc::clone(&script);
                thread::spawn(move || serve_tcp(&mut stream?, &script));
            }
        });
        server
    }

    /// Answers every name with the same addresses.
    pub(super) fn answering(addresses: &'static [&str]) -> Self {
        Self::start(|question| Reply::addresses(question, addresses))
    }

    /// Returns the same server without a listener on its TCP port.
    pub(super) fn without_tcp(self) -> Self {
        let closed = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let tcp_port = closed.local_addr().unwrap().port();
        Self { tcp_port, ..self }
    }

    /// Returns a system configuration with this name server. It has a domain and a search list,
    /// which no lookup may use.
    pub(super) fn config(&self) -> ResolverConfig {
        let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
        (udp.port, tcp.port) = (self.udp_port, self.tcp_port);
        ResolverConfig::from_parts(
            Some(Name::from_ascii("domain.example.").unwrap()),
            vec![Name::from_ascii("search.example.").unwrap()],
            vec![NameServerConfig::new(LOOPBACK, true, vec![udp, tcp])],
        )
    }

    /// Returns the number of questions for IPv4 addresses so far.
    pub(super) fn count(&self) -> usize {
        let questions = self.questions.lock().unwrap();
        let for_ipv4 = |question: &&Query| question.query_type() == RecordType::A;
        questions.iter().filter(for_ipv4).count()
    }

    /// Returns the questions so far, names and types, each once and in order.
    pub(super) fn questions(&self) -> Vec<String> {
        let questions = self.questions.lock().unwrap();
        let mut questions: Vec<_> = questions
            .iter()
            .map(|question| format!("{} {}", question.name(), question.query_type()))
            .collect();
        questions.sort_unstable();
        questions.dedup();
        questions
    }
}

fn serve_udp(socket: &UdpSocket, script: &Arc<Script>) -> io::Result<()> {
    let mut buffer = [0; MAX_UDP_BYTES];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer)?;
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let (socket, script) = (socket.try_clone()?, Arc::clone(script));
        let max_bytes = question
            .edns
            .as_ref()
            .map_or(MAX_UDP_BYTES, |edns| edns.max_payload().into());
        thread::spawn(move || match answer(&question, &*script) {
            // Cut off, and marked so.
            Some(long) if long.len() > max_bytes => {
                let cut = question.into_response().truncate().to_vec().unwrap();
                socket.send_to(&cut, peer)
            }
            Some(bytes) => socket.send_to(&bytes, peer),
            None => Ok(0),
        });
    }
}

/// Each message follows its length in two bytes (RFC 1035, 4.2.2).
fn serve_tcp(stream: &mut TcpStream, script: &Arc<Script>) -> io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut question = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut question)?;
        if let Some(bytes) = answer(&Message::from_vec(&question).unwrap(), &**script) {
            let length = u16::try_from(bytes.len()).unwrap();
            stream.write_all(&length.to_be_bytes())?;
            stream.write_all(&bytes)?;
        }
    }
}

fn answer(question: &Message, script: &Script) -> Option<Vec<u8>> {
    const HEAD_BYTES: usize = 12;
    let mut message = question.clone().into_response();
    let mut max_bytes = usize::MAX;
    match script(question.queries.first().unwrap()) {
        Reply::Records(records) => message.insert_answers(records),
        Reply::Error(code) => message.metadata.response_code = code,
        Reply::Broken => max_bytes = HEAD_BYTES,
        Reply::Silence => return None,
    }
    let mut bytes = message.to_vec().unwrap();
    bytes.truncate(max_bytes);
    Some(bytes)
}
