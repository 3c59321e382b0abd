//! The output of processes, by whole lines.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::event::{ProcessStream, SupervisorEvent};
use super::forward::Forward;
use super::queue::EventQueue;

/// The limit of bytes of a line; longer lines are split.
const MAX_LINE: usize = 64 * 1024;
/// The largest pipe that Linux allows by default: the limit of bytes that a process can leave in a pipe when it exits.
const MAX_LEFT: usize = 1024 * 1024;
/// How long the exit of a process waits for its output if the output of this process is read slowly.
const PATIENCE: Duration = Duration::from_secs(1);

/// The destination of the lines of one process.
#[derive(Clone)]
pub(super) struct Sink {
    pub(super) id: u64,
    pub(super) name: Arc<str>,
    pub(super) pid: u32,
    pub(super) events: Option<Arc<EventQueue>>,
    pub(super) forward: Option<Forward>,
}

impl Sink {
    async fn line(&self, stream: ProcessStream, line: Vec<u8>) {
        if let Some(forward) = &self.forward {
            let mut text = format!("[{} {}] ", self.name, self.pid).into_bytes();
            text.extend_from_slice(&line);
            text.push(b'\n');
            forward.write(stream, text).await;
        }
        if let Some(events) = &self.events {
            events.push([SupervisorEvent::Line { id: self.id, name: self.name.clone(), pid: self.pid, stream, line }]);
        }
    }
}

/// The readers of one process.
#[derive(Default)]
pub(super) struct Output(Vec<Reader>);

struct Reader {
    requests: mpsc::UnboundedSender<Request>,
    task: JoinHandle<()>,
}

/// Reads everything that is available now, and then confirms it, or stops after an unfinished line.
enum Request {
    Settle(oneshot::Sender<()>),
    Finish(oneshot::Sender<()>),
}

impl Output {
    /// Starts to read on the current runtime.
    pub(super) fn read(&mut self, stream: ProcessStream, pipe: OwnedFd, sink: Sink) {
        match Receiver::from_owned_fd(pipe) {
            Ok(pipe) => {
                let (requests, received) = mpsc::unbounded_channel();
                let source = Source { pipe, lines: Lines::default(), stream, sink };
                self.0.push(Reader { requests, task: tokio::spawn(source.run(received)) });
            }
            Err(error) => tracing::warn!(%error, "the output of a process cannot be read"),
        }
    }

    /// Returns when everything that was written until now is emitted.
    pub(super) async fn settle(&self) {
        self.ask(Request::Settle).await;
    }

    /// As `settle`, and then stops reading, even if processes could still write.
    pub(super) async fn finish(self) {
        self.ask(Request::Finish).await;
    }

    async fn ask(&self, request: fn(oneshot::Sender<()>) -> Request) {
        let asked = self.0.iter().filter_map(|reader| {
            let (sender, answered) = oneshot::channel();
            reader.requests.send(request(sender)).ok().map(|()| answered)
        });
        let all = futures_util::future::join_all(asked);
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("the output of a process was not read in time");
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.0.iter().for_each(|reader| reader.task.abort());
    }
}

struct Source {
    pipe: Receiver,
    lines: Lines,
    stream: ProcessStream,
    sink: Sink,
}

impl Source {
    async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let request = tokio::select! {
                ready = self.pipe.readable() => {
                    let count = ready.and_then(|()| self.pipe.try_read(&mut buffer));
                    if self.took(count, &buffer).await { continue } else { return }
                }
                request = requests.recv() => request,
            };
            let mut left = MAX_LEFT;
            while left > 0 {
                let count = read_now(&self.pipe, &mut buffer);
                left = match &count {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    Ok(count) => left.saturating_sub(*count),
                    Err(_) => left,
                };
                if !self.took(count, &buffer).await {
                    return;
                }
            }
            let answer = match request {
                Some(Request::Settle(answer)) => answer,
                Some(Request::Finish(answer)) => {
                    self.end().await;
                    let _ = answer.send(());
                    return;
                }
                None => return,
            };
            let _ = answer.send(());
        }
    }

    /// Emits the lines of the bytes that were read; false at the end of the pipe.
    async fn took(&mut self, count: io::Result<usize>, buffer: &[u8]) -> bool {
        match count {
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => true,
            Ok(0) | Err(_) => {
                self.end().await;
                false
            }
            Ok(count) => {
                for line in self.lines.add(&buffer[..count]) {
                    self.sink.line(self.stream, line).await;
                }
                true
            }
        }
    }

    async fn end(&mut self) {
        if !self.lines.partial.is_empty() {
            self.sink.line(self.stream, std::mem::take(&mut self.lines.partial)).await;
        }
    }
}

/// Reads without the runtime, which may not yet have detected that the pipe is readable.
fn read_now(pipe: &Receiver, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(pipe, buffer)?)
}

/// Assembles lines. It splits at bytes: a newline is never part of a longer character.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Returns the lines that are complete with these bytes.
    fn add(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            self.partial.extend_from_slice(part);
            while self.partial.len() > MAX_LINE {
                let rest = self.partial.split_off(boundary(&self.partial));
                complete.push(std::mem::replace(&mut self.partial, rest));
            }
            if ends {
                complete.push(std::mem::take(&mut self.partial));
            }
        }
        complete
    }
}

/// Where to split a line: at most at `MAX_LINE`, and not within a character of UTF-8.
fn boundary(line: &[u8]) -> usize {
    let is_start = |at: &usize| line[*at] & 0b1100_0000 != 0b1000_0000;
    (MAX_LINE - 3..=MAX_LINE).rev().find(is_start).unwrap_or(MAX_LINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come_and_long_ones_are_cut_between_characters() {
        let mut lines = Lines::default();
        let text = "één\n\nzwei 🙂\nthe last".as_bytes();
        let got: Vec<Vec<u8>> = text.iter().flat_map(|byte| lines.add(&[*byte])).collect();
        assert_eq!(got, ["één".as_bytes(), b"", "zwei 🙂".as_bytes()]);
        assert_eq!(lines.partial, b"the last");
        let long = format!("{}\n", "🙂".repeat(MAX_LINE / 2)).replacen('🙂', "a", 1);
        let pieces = Lines::default().add(long.as_bytes());
        assert!(pieces.iter().all(|piece| piece.len() <= MAX_LINE && std::str::from_utf8(piece).is_ok()));
        assert_eq!(pieces.concat(), long.trim_end().as_bytes());
        assert_eq!(Lines::default().add(&vec![0x80; MAX_LINE + 1]).len(), 1, "what is not UTF-8 is cut anywhere");
    }
}
