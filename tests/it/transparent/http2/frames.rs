//! HTTP/2 frames as they are on the wire.

use std::io::{Read, Write};
use std::net::SocketAddr;

use super::DATE;
use crate::support::connect;

// RFC 9113, 6: types and flags of frames.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// One frame (RFC 9113, 4.1).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RawFrame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl RawFrame {
    pub(super) fn new(kind: u8, flags: u8, stream: u32, payload: Vec<u8>) -> Self {
        Self {
            kind,
            flags,
            stream,
            payload,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = (self.payload.len() as u32).to_be_bytes();
        let head = [length[1], length[2], length[3], self.kind, self.flags];
        [&head[..], &self.stream.to_be_bytes(), &self.payload].concat()
    }

    fn read(from: &mut impl Read) -> Self {
        let mut head = [0; 9];
        from.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length as usize];
        from.read_exact(&mut payload).unwrap();
        Self::new(head[3], head[4], stream, payload)
    }

    fn ends_stream(&self) -> bool {
        let last = matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0;
        last || self.kind == RST_STREAM
    }
}

/// What a client sends for one request without a body: the preface, the settings, the largest
/// window, and the head, whose fields are not compressed (RFC 7541, 6.2.2).
pub(super) fn raw_request(method: &str, path: &str) -> Vec<u8> {
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", method),
        (":scheme", "http"),
        (":authority", "test"),
        (":path", path),
        ("te", "trailers"),
        ("date", DATE),
    ] {
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).unwrap());
            fields.extend(text.as_bytes());
        }
    }
    // SETTINGS_INITIAL_WINDOW_SIZE
    let window = [&[0, 4][..], &0x7fff_ffff_u32.to_be_bytes()].concat();
    let more = 0x7fff_0000_u32.to_be_bytes().to_vec();
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        RawFrame::new(SETTINGS, 0, 0, window).bytes(),
        RawFrame::new(WINDOW_UPDATE, 0, 0, more).bytes(),
        RawFrame::new(HEADERS, END_STREAM | END_HEADERS, 1, fields).bytes(),
    ]
    .concat()
}

/// Sends one request on a connection of its own, and returns the frames of the answer.
pub(super) fn raw_answer(addr: SocketAddr, request: &[u8]) -> Vec<RawFrame> {
    let mut stream = connect(addr);
    stream.write_all(request).unwrap();
    let mut frames = Vec::new();
    while !frames.last().is_some_and(RawFrame::ends_stream) {
        let frame = RawFrame::read(&mut stream);
        // The frames of the connection itself can arrive at any time.
        if frame.stream == 1 {
            frames.push(frame);
        }
    }
    frames
}

/// The types, flags and lengths of frames, which show where the stream ends.
pub(super) fn shape(frames: &[RawFrame]) -> Vec<(u8, u8, usize)> {
    let shape = frames.iter().map(|frame| match frame.kind {
        HEADERS => (HEADERS, frame.flags, 0),
        kind => (kind, frame.flags, frame.payload.len()),
    });
    shape.collect()
}
