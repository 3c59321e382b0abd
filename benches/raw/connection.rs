//! Just enough of the Redis protocol: replies are stepped over, not built.

use std::io::{Read, Write};
use std::net::TcpStream;

/// A request as it goes over the wire.
pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    head(&mut out, words, 0);
    out
}

/// The beginning of a request to which `more` words are yet to be appended.
pub(crate) fn head(out: &mut Vec<u8>, words: &[&str], more: usize) {
    out.extend_from_slice(format!("*{}\r\n", words.len() + more).as_bytes());
    for word in words {
        self::word(out, word.as_bytes());
    }
}

/// Appends one word of a request.
pub(crate) fn word(out: &mut Vec<u8>, word: &[u8]) {
    write!(out, "${}\r\n", word.len()).expect("memory");
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Connection { stream, buffer: vec![0; 256 * 1024].into(), at: 0, end: 0 }
    }

    pub(crate) fn write(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("a write");
    }

    pub(crate) fn call(&mut self, words: &[&str]) {
        self.write(&request(words));
        self.skip();
    }

    /// Steps over one reply.
    pub(crate) fn skip(&mut self) {
        let (kind, number) = self.line();
        match kind {
            b'$' if number >= 0 => drop(self.bytes(number as usize)),
            b'*' => (0..number).for_each(|_| self.skip()),
            _ => {}
        }
    }

    /// What `read` makes of the last string of an array of strings.
    pub(crate) fn last_bulk_of_array<T>(&mut self, read: impl Fn(&[u8]) -> T) -> T {
        let (_, count) = self.line();
        let mut last = None;
        for _ in 0..count {
            let (_, length) = self.line();
            last = Some(read(self.bytes(length as usize)));
        }
        last.expect("an array")
    }

    /// The entries that XREADGROUP answers, each its id and its one value.
    pub(crate) fn stream_entries(&mut self, entries: &mut Vec<(Vec<u8>, Vec<u8>)>) {
        entries.clear();
        if self.line().1 < 1 {
            return;
        }
        self.line();
        self.skip();
        for _ in 0..self.line().1 {
            self.line();
            let id = self.bulk();
            self.line();
            self.skip();
            let value = self.bulk();
            entries.push((id, value));
        }
    }

    fn bulk(&mut self) -> Vec<u8> {
        let (_, length) = self.line();
        self.bytes(length as usize).to_vec()
    }

    /// The type and the number of the next line; 0 if it is text.
    fn line(&mut self) -> (u8, i64) {
        loop {
            if let Some(length) = self.buffer[self.at..self.end].iter().position(|byte| *byte == b'\n') {
                let line = &self.buffer[self.at..self.at + length - 1];
                assert!(line[0] != b'-', "{}", String::from_utf8_lossy(line));
                let digits = if line.get(1) == Some(&b'-') { &line[2..] } else { &line[1..] };
                let number = digits
                    .iter()
                    .take_while(|byte| byte.is_ascii_digit())
                    .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
                let read = (line[0], if digits.len() + 1 < line.len() { -number } else { number });
                self.at += length + 1;
                return read;
            }
            self.fill();
        }
    }

    fn bytes(&mut self, length: usize) -> &[u8] {
        while self.end - self.at < length + 2 {
            self.fill();
        }
        let from = self.at;
        self.at += length + 2;
        &self.buffer[from..from + length]
    }

    fn fill(&mut self) {
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        let read = self.stream.read(&mut self.buffer[self.end..]).expect("a read");
        assert!(read > 0, "the server closed the connection");
        self.end += read;
    }
}
