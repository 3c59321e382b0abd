//! Between members and a server: holds bytes back, resets connections, loses replies.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// Whether the reply to what was sent since the last one is lost, and the connection with it.
type Loses = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// Listens on a port and forwards to a server's socket. On a runtime of its own, so that nothing in a test holds it up.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

struct Shared {
    target: PathBuf,
    /// Bytes are held back, both ways, and so are new connections.
    cut: watch::Sender<bool>,
    /// Grows with each reset; a connection ends when it sees another number than at its start.
    resets: watch::Sender<u64>,
    refuse: AtomicBool,
    accepted: AtomicU64,
    loses: Mutex<Option<Loses>>,
    lost: AtomicU64,
}

impl Proxy {
    pub fn start(target: PathBuf) -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared {
            target,
            cut: watch::Sender::new(false),
            resets: watch::Sender::new(0),
            refuse: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            loses: Mutex::new(None),
            lost: AtomicU64::new(0),
        });
        let port = listener.local_addr().unwrap().port();
        let serving = shared.clone();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                serving.accepted.fetch_add(1, Ordering::Relaxed);
                if !serving.refuse.load(Ordering::Relaxed) {
                    tokio::spawn(serve(serving.clone(), client));
                }
            }
        });
        Proxy { port, shared, runtime: Some(runtime) }
    }

    /// Holds back all bytes until `heal`.
    pub fn cut(&self) {
        self.shared.cut.send_replace(true);
    }

    pub fn heal(&self) {
        self.shared.cut.send_replace(false);
    }

    /// Ends all connections.
    pub fn reset(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// Ends new connections at once while set.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuse.store(refuse, Ordering::Relaxed);
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Replies lost so far.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Asks with what a client sent since the last reply whether the reply is to be lost.
    pub fn lose(&self, loses: impl FnMut(&[u8]) -> bool + Send + 'static) {
        *self.shared.loses.lock().unwrap() = Some(Box::new(loses));
    }
}

async fn serve(shared: Arc<Shared>, mut client: TcpStream) {
    let (mut cut, mut resets) = (shared.cut.subscribe(), shared.resets.subscribe());
    let begun = *resets.borrow_and_update();
    let work = async {
        cut.wait_for(|cut| !cut).await.ok()?;
        let mut server = UnixStream::connect(&shared.target).await.ok()?;
        let (mut request, mut reply) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        let mut sent = Vec::new();
        loop {
            tokio::select! {
                size = client.read(&mut request) => {
                    let data = &request[..size.ok().filter(|size| *size > 0)?];
                    sent.extend_from_slice(data);
                    cut.wait_for(|cut| !cut).await.ok()?;
                    server.write_all(data).await.ok()?;
                }
                size = server.read(&mut reply) => {
                    let data = &reply[..size.ok().filter(|size| *size > 0)?];
                    let sent = std::mem::take(&mut sent);
                    if shared.loses.lock().unwrap().as_mut().is_some_and(|loses| loses(&sent)) {
                        shared.lost.fetch_add(1, Ordering::Relaxed);
                        return Some(());
                    }
                    cut.wait_for(|cut| !cut).await.ok()?;
                    client.write_all(data).await.ok()?;
                }
            }
        }
    };
    tokio::select! {
        _ = work => {}
        _ = resets.wait_for(|resets| *resets != begun) => {}
    }
}
