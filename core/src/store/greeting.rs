//! Opens a stream to a server, and sends the first commands over it.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use redis::{Cmd, RedisError, Value, ValueCodec};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::codec::Decoder;

use super::failure::{Failed, Stage};
use super::tls;
use crate::config::address::HostPort;
use crate::config::credentials::Credentials;
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::language::Language;

/// The limit of bytes of the replies while connecting; CLUSTER SLOTS of a thousand nodes has less than a tenth.
const MAX_GREETING: usize = 8 * 1024 * 1024;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) async fn dial(options: &Options, (host, port): &HostPort) -> Result<Box<dyn Stream>, Failed> {
    let addresses = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(|e| unreachable(options, e))?;
    let attempts: Vec<_> = addresses.map(|address| Box::pin(TcpStream::connect(address))).collect();
    if attempts.is_empty() {
        return Err(unreachable(options, io::Error::other(format!("the name {host} has no address"))));
    }
    // Tries all addresses at once: the first may belong to a host that does not respond.
    let (stream, _) = futures_util::future::select_ok(attempts).await.map_err(|e| unreachable(options, e))?;
    stream.set_nodelay(true).map_err(|e| unreachable(options, e))?;
    let Some(own) = &options.tls else { return Ok(Box::new(stream)) };
    let config = tls::config(own).map_err(Failed::unsent)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| {
        let message = format!("TLS needs a host name or an address, and `{host}` is neither");
        Failed::unsent(Error::new(ErrorKind::Tls, message))
    })?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(e) => Err(match tls::failure(&e, &options.address.to_string()) {
            Some(error) => Failed::unsent(error),
            None => {
                let address = &options.address;
                let message = format!(
                    "connecting to Redis at {address}: it closed the connection during the TLS handshake ({e}): it may not support TLS on this port, or may have reached its limit of clients"
                );
                Failed::unsent(Error::new(ErrorKind::Unavailable, message))
            }
        }),
    }
}

pub(super) fn unreachable(options: &Options, error: io::Error) -> Failed {
    Failed::redis(options, Stage::Connecting, "connecting", &RedisError::from(error))
}

/// The credentials and the database.
#[derive(Clone, Copy, Default)]
pub(super) struct Login<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) db: i64,
}

impl<'a> Login<'a> {
    pub(super) fn of(options: &'a Options) -> Self {
        Login { username: options.username.as_deref(), password: options.password.as_deref(), db: 0 }
    }

    pub(super) fn of_credentials(credentials: &'a Credentials) -> Self {
        Login { username: credentials.username.as_deref(), password: Some(&credentials.password), db: 0 }
    }

    /// The command that authenticates, if there is a password.
    pub(super) fn auth(&self) -> Option<Cmd> {
        let mut auth = Cmd::new();
        auth.arg("AUTH").arg(self.username).arg(self.password?);
        Some(auth)
    }
}

pub(super) fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

/// Sends the authentication, SELECT and one command together, and returns the reply to the last. This is not done by the multiplexed connection: a
/// server that rejects clients sends an error before the first command, which that connection would not attribute to any command.
pub(super) async fn greet(
    options: &Options,
    stream: &mut Box<dyn Stream>,
    login: &Login<'_>,
    ask: Option<Cmd>,
    stage: Stage,
    doing: &str,
) -> Result<Value, Failed> {
    let mut commands = Vec::with_capacity(3);
    commands.extend(login.auth());
    if login.db != 0 {
        commands.push(words(&["SELECT", &login.db.to_string()]));
    }
    commands.extend(ask);
    let packed: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
    let failed = |e: &RedisError| Failed::redis(options, stage, doing, e);
    // A failed write is not an error yet: the server may have sent the reason before it closed the connection.
    let written = async {
        stream.write_all(&packed).await?;
        stream.flush().await
    };
    let written: io::Result<()> = written.await;
    let (mut codec, mut bytes) = (ValueCodec::default(), BytesMut::with_capacity(8 * 1024));
    let mut answer = Value::Nil;
    for _ in &commands {
        answer = loop {
            if let Some(failed) = spoken(options, &bytes) {
                return Err(failed);
            }
            if let Some(value) = codec.decode(&mut bytes).map_err(|e| failed(&e))? {
                break value.extract_error().map_err(|e| failed(&e))?;
            }
            match stream.read_buf(&mut bytes).await {
                Ok(1..) if bytes.len() <= MAX_GREETING => {}
                Ok(1..) => {
                    let message =
                        format!("connecting to Redis at {}: it answers with more than {MAX_GREETING} bytes", options.address);
                    return Err(Failed::unsent(Error::new(ErrorKind::WrongServer, message)));
                }
                Ok(0) => return Err(written.map_or_else(|e| unreachable(options, e), |()| hung_up(options))),
                Err(e) => {
                    return Err(match tls::failure(&e, &options.address.to_string()) {
                        Some(error) => Failed::unsent(error),
                        None => hung_up(options),
                    });
                }
            }
        };
    }
    Ok(answer)
}

/// Detects by the first bytes that the peer is not a plain Redis server.
fn spoken(options: &Options, bytes: &[u8]) -> Option<Failed> {
    let address = &options.address;
    let (kind, what) = match bytes {
        // An alert of TLS.
        [0x15, 0x03, ..] => (ErrorKind::Tls, Language::current().text("it expects TLS: set {tls}, or use a rediss:// url")),
        [b'H', b'T', b'T', b'P', ..] => {
            (ErrorKind::WrongServer, Language::current().text("it is an HTTP server and not Redis: check {host} and {port}"))
        }
        _ => return None,
    };
    Some(Failed::unsent(Error::new(kind, format!("connecting to Redis at {address}: {what}"))))
}

/// The error if the server closed the connection without a reply.
fn hung_up(options: &Options) -> Failed {
    let hint = match options.tls {
        Some(_) => "see its log",
        None => "see its log; if it accepts only TLS, set {tls}, or use a rediss:// url",
    };
    let message = format!(
        "connecting to Redis at {}: it closed the connection without an answer; {}",
        options.address,
        Language::current().text(hint)
    );
    Failed::unsent(Error::new(ErrorKind::Unavailable, message))
}
