//! A name server that takes its time, and how the service's threads come to ask it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

/// A name that only our server knows.
pub const SLOW_NAME: &str = "users.gallery.test";

const HEADER: usize = 12;
const TYPE_A: [u8; 2] = [0, 1];

/// Starts it on a thread that ends with the process.
pub fn start(work: Duration) -> io::Result<SocketAddrV4> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let SocketAddr::V4(address) = socket.local_addr()? else {
        return Err(io::Error::other("an IPv4 socket without an IPv4 address"));
    };
    std::thread::Builder::new()
        .name("gallery-names".into())
        .spawn(move || serve(&socket, work))?;
    Ok(address)
}

/// From now on the C library asks `server` on this thread. Only glibc can be told; and a
/// machine whose `/etc/nsswitch.conf` asks somebody else before `dns` finds no such name.
pub fn ask(server: SocketAddrV4) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Err(error) = crate::sys::ask(server) {
        eprintln!("gallery: row 19 will not work: {error}");
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = server;
}

/// Answers each question `work` after it came, in the order they came.
fn serve(socket: &UdpSocket, work: Duration) -> io::Result<()> {
    let mut pending = std::collections::VecDeque::new();
    let mut packet = [0; 512];
    loop {
        let next: Option<Instant> = pending.front().map(|(due, _, _)| *due);
        let wait = next.map(|due| {
            let left = due.saturating_duration_since(Instant::now());
            left.max(Duration::from_millis(1))
        });
        socket.set_read_timeout(wait)?;
        match socket.recv_from(&mut packet) {
            Ok((length, client)) => {
                if let Some(answer) = answer(&packet[..length]) {
                    pending.push_back((Instant::now() + work, answer, client));
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
        while pending
            .front()
            .is_some_and(|(due, _, _)| *due <= Instant::now())
        {
            if let Some((_, answer, client)) = pending.pop_front() {
                // A client that went away hears nothing.
                let _ = socket.send_to(&answer, client);
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// To the one question of a query (RFC 1035, section 4): an address if it asks for an IPv4
/// address, else that there is none of that type.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = HEADER;
    loop {
        match *query.get(end)? {
            0 => break,
            length => end += 1 + usize::from(length),
        }
    }
    // The name's end, its type, its class.
    let question = query.get(HEADER..end + 5)?;
    let is_address = query.get(end + 1..end + 3)? == TYPE_A;
    let mut answer = query.get(..2)?.to_vec();
    // A response; recursion was desired and is available; no error.
    answer.extend([0x81, 0x80]);
    answer.extend([0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question);
    if is_address {
        // The name of the question; type A, class IN, not to be kept; four bytes.
        answer.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::answer;

    const QUERY: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

    #[test]
    fn an_address_is_answered_with_the_question_and_ours() {
        let answer = answer(QUERY).unwrap();
        assert_eq!(answer[..2], QUERY[..2]);
        assert_eq!(answer[6..8], [0, 1]);
        assert!(answer.ends_with(&[0, 4, 127, 0, 0, 1]));
    }

    #[test]
    fn another_type_has_no_answer_and_no_error() {
        let mut query = QUERY.to_vec();
        let kind = query.len() - 3;
        query[kind] = 28;
        let answer = answer(&query).unwrap();
        assert_eq!(answer[6..8], [0, 0]);
        assert_eq!(answer[3] & 0x0f, 0);
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        for length in 0..QUERY.len() {
            assert_eq!(answer(&QUERY[..length]), None, "{length} bytes");
        }
    }
}
