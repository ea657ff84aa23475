//! An HTTP/1.1 client with little overhead: one thread writes and reads non-blocking
//! keep-alive connections in a loop.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

const REQUEST: &[u8] = b"GET /users/7 HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n";
/// After this time an answer will never come.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    /// When the request in progress was due.
    due: Option<Instant>,
    /// Bytes of its answer that have been read.
    read: usize,
    /// Length of an answer; all are equal.
    length: usize,
}

/// Timings of one run.
pub struct Run {
    pub elapsed: Duration,
    /// From when each request was due to the end of its answer.
    pub latencies: Vec<Duration>,
}

impl Client {
    /// Connects. Each connection has sent one request and received its answer.
    pub fn connect(port: u16, connections: usize) -> Self {
        let connect = || Connection::open(port);
        Self {
            connections: (0..connections).map(|_| connect()).collect(),
        }
    }

    /// Sends requests: at a rate a second, by schedule (a late answer does not delay the
    /// requests due after it), or each as soon as a connection is free.
    pub fn run(&mut self, requests: u64, rate: Option<f64>) -> Run {
        let start = Instant::now();
        let due = |sent: u64| match rate {
            Some(rate) => start + Duration::from_secs_f64(sent as f64 / rate),
            None => Instant::now(),
        };
        let (mut sent, mut next) = (0, due(0));
        let mut latencies = Vec::with_capacity(requests as usize);
        while (latencies.len() as u64) < requests {
            let before = (sent, latencies.len());
            for connection in &mut self.connections {
                if connection.due.is_none() && sent < requests && next <= Instant::now() {
                    connection.send(next);
                    sent += 1;
                    next = due(sent);
                }
                if let Some(due) = connection.receive() {
                    latencies.push(due.elapsed());
                }
            }
            if before == (sent, latencies.len()) {
                // A kernel thread on this core may have packets to deliver, which
                // would otherwise wait for milliseconds.
                std::thread::yield_now();
            }
            assert!(start.elapsed() < PATIENCE, "no answer");
        }
        Run {
            elapsed: start.elapsed(),
            latencies,
        }
    }
}

impl Connection {
    fn open(port: u16) -> Self {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket can be");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket can");
        stream.write_all(REQUEST).expect("it is connected");
        // Every answer is this head, then `hello`.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nhello") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer, to its end");
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        stream.set_nonblocking(true).expect("a socket can be");
        Self {
            stream,
            due: None,
            read: 0,
            length: answer.len(),
        }
    }

    fn send(&mut self, due: Instant) {
        // The socket's buffer is empty and larger than a request.
        self.stream.write_all(REQUEST).expect("there is room");
        self.due = Some(due);
        self.read = 0;
    }

    /// Returns when the request was due, once its whole answer has arrived.
    fn receive(&mut self) -> Option<Instant> {
        self.due?;
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server has closed the connection"),
            Ok(length) => self.read += length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        assert!(self.read <= self.length, "more than an answer");
        if self.read == self.length {
            self.due.take()
        } else {
            None
        }
    }
}
