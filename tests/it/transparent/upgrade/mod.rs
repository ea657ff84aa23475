//! Connections that switch protocols: WebSockets, `Upgrade` and `CONNECT` work through the layer as
//! without it. The request is completed with its answer. The layer does not see the connection
//! after that.

mod tunnel;
mod web_socket;

/// Lower case, each byte as a character, without the `date` header.
fn without_date(bytes: &[u8]) -> String {
    let text: String = bytes.iter().copied().map(char::from).collect();
    let lines = text.to_ascii_lowercase();
    let lines = lines.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with("date: ")).collect()
}
