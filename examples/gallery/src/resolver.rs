//! A slow name server, and the configuration of the service's threads to use it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

/// A name that only this server resolves.
pub const SLOW_NAME: &str = "users.gallery.test";

const HEADER: usize = 12;
const TYPE_A: [u8; 2] = [0, 1];

/// Starts the server on a thread that ends with the process.
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

/// Makes the C library send this thread's lookups to `server`. Only glibc supports this. The
/// name is not found if `/etc/nsswitch.conf` puts a service before `dns` that ends the lookup.
pub fn use_on_this_thread(server: SocketAddrV4) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Err(error) = crate::sys::use_name_server(server) {
        eprintln!("gallery: row 19 will not work: {error}");
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = server;
}

/// Answers each query `work` after its arrival, in the order of arrival.
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
                // The client may be gone.
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

/// Builds the response to a query with one question (RFC 1035, section 4). It contains
/// 127.0.0.1 if the question is for an IPv4 address, and no record otherwise.
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
    // Flags: a response, recursion desired and available, no error.
    answer.extend([0x81, 0x80]);
    answer.extend([0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question);
    if is_address {
        // A pointer to the question's name, type A, class IN, TTL 0, four bytes.
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
    fn a_query_for_an_address_gets_the_question_and_the_address() {
        let answer = answer(QUERY).unwrap();
        assert_eq!(answer[..2], QUERY[..2]);
        assert_eq!(answer[6..8], [0, 1]);
        assert!(answer.ends_with(&[0, 4, 127, 0, 0, 1]));
    }

    #[test]
    fn a_query_of_another_type_gets_no_record_and_no_error() {
        let mut query = QUERY.to_vec();
        let kind = query.len() - 3;
        query[kind] = 28;
        let answer = answer(&query).unwrap();
        assert_eq!(answer[6..8], [0, 0]);
        assert_eq!(answer[3] & 0x0f, 0);
    }

    #[test]
    fn a_truncated_query_gets_no_response() {
        for length in 0..QUERY.len() {
            assert_eq!(answer(&QUERY[..length]), None, "{length} bytes");
        }
    }
}
