//! What Redis' errors mean to a user of libswarm.

use redis::{RedisError, ServerErrorKind};

use crate::address::Address;
use crate::error::{Error, ErrorKind};

/// A call that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// Whether Redis may have executed it all the same.
    pub(crate) maybe_executed: bool,
    /// Whether the connection can no longer be used.
    pub(crate) disconnect: bool,
}

impl Failed {
    /// Failed before anything was sent.
    pub(crate) fn unsent(error: Error) -> Self {
        Failed { error, maybe_executed: false, disconnect: true }
    }

    /// No reply within the time limit.
    pub(crate) fn silent(address: &Address, doing: &str, limit: std::time::Duration) -> Self {
        let message = format!("{doing}: Redis at {address} did not answer within {} ms; reconnecting", limit.as_millis());
        Failed { error: Error::new(ErrorKind::Unavailable, message), maybe_executed: true, disconnect: true }
    }

    /// An error of a call or of a connection attempt.
    pub(crate) fn redis(address: &Address, doing: &str, error: &RedisError) -> Self {
        if matches!(error.kind(), redis::ErrorKind::Server(ServerErrorKind::Moved)) && matches!(address, Address::Cluster(_)) {
            let message = format!("{doing}: the cluster's hash slot moved to another node of {address}; reconnecting");
            return Failed { error: Error::new(ErrorKind::Unavailable, message), maybe_executed: false, disconnect: true };
        }
        let (kind, advice) = classify(error);
        let text = describe(error);
        let message = format!("{doing} with Redis at {address}: {text}{}{advice}", if advice.is_empty() { "" } else { ". " });
        let refused = matches!(
            kind,
            ErrorKind::StoreFull
                | ErrorKind::ReadOnlyReplica
                | ErrorKind::PermissionDenied
                | ErrorKind::AuthFailed
                | ErrorKind::ProtocolVersion
                | ErrorKind::Tls
        ) || matches!(error.kind(), redis::ErrorKind::Server(server) if server != ServerErrorKind::ResponseError);
        let keep = matches!(
            kind,
            ErrorKind::StoreFull
                | ErrorKind::PermissionDenied
                | ErrorKind::StoreCorrupt
                | ErrorKind::ProtocolVersion
                | ErrorKind::Internal
        );
        Failed { error: Error::new(kind, message), maybe_executed: !refused, disconnect: !keep }
    }
}

/// The error's own words, without its Rust shape.
fn describe(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

fn classify(error: &RedisError) -> (ErrorKind, &'static str) {
    use redis::ErrorKind as R;
    let text = error.to_string();
    match error.kind() {
        R::AuthenticationFailed => (ErrorKind::AuthFailed, "Check username and password"),
        R::Io if is_tls(&text) => {
            (ErrorKind::Tls, "Check tls, tls_ca, tls_cert and tls_key, and that the certificate names this host")
        }
        R::Io => (ErrorKind::Unavailable, "Check host and port, and that the server runs"),
        R::Parse | R::UnexpectedReturnType | R::RESP3NotSupported => {
            (ErrorKind::WrongServer, "This does not look like a Redis server: check host and port, and whether it wants TLS")
        }
        R::InvalidClientConfig if is_tls(&text) => (ErrorKind::Tls, ""),
        R::InvalidClientConfig => (ErrorKind::InvalidArgument, ""),
        R::MasterNameNotFoundBySentinel
        | R::NoValidReplicasFoundBySentinel
        | R::EmptySentinelList
        | R::ClusterConnectionNotFound
        | R::Client => (ErrorKind::Unavailable, ""),
        R::Server(kind) => classify_server(kind, &text),
        R::Extension => match error.code() {
            Some("SWARMPROTOCOL") => (ErrorKind::ProtocolVersion, "Newer members use this cluster: upgrade this one"),
            Some("OOM") => (ErrorKind::StoreFull, "Redis reached maxmemory; nothing was added. Raise maxmemory or finish jobs"),
            Some("NOAUTH" | "WRONGPASS") => (ErrorKind::AuthFailed, "Check username and password"),
            Some("WRONGTYPE") => (ErrorKind::StoreCorrupt, "A key under this prefix is not libswarm's: use another prefix"),
            Some("BUSY") => (ErrorKind::Unavailable, "Another program's script blocks Redis"),
            Some("UNBLOCKED") => (ErrorKind::Unavailable, ""),
            Some("MISCONF" | "NOREPLICAS") => (ErrorKind::Unavailable, "Redis refuses writes by its configuration"),
            _ => (ErrorKind::Internal, ""),
        },
        _ => (ErrorKind::Unavailable, ""),
    }
}

fn classify_server(kind: ServerErrorKind, text: &str) -> (ErrorKind, &'static str) {
    match kind {
        ServerErrorKind::ReadOnly => {
            (ErrorKind::ReadOnlyReplica, "This is a read-only replica: give the master's address, or use Sentinel")
        }
        ServerErrorKind::NoPerm => (ErrorKind::PermissionDenied, "docs/errors.md lists the permissions a user needs"),
        ServerErrorKind::Moved => {
            (ErrorKind::WrongServer, "This is a node of a Redis Cluster: give `nodes` or a redis+cluster:// url")
        }
        ServerErrorKind::Ask
        | ServerErrorKind::TryAgain
        | ServerErrorKind::ClusterDown
        | ServerErrorKind::MasterDown
        | ServerErrorKind::BusyLoading => (ErrorKind::Unavailable, ""),
        ServerErrorKind::ResponseError if text.contains("OOM") => {
            (ErrorKind::StoreFull, "Redis reached maxmemory; nothing was added")
        }
        ServerErrorKind::ResponseError if text.contains("WRONGTYPE") => {
            (ErrorKind::StoreCorrupt, "A key under this prefix is not libswarm's: use another prefix")
        }
        ServerErrorKind::ResponseError if text.contains("unknown command") => {
            (ErrorKind::WrongServer, "This server lacks commands of Redis 6.2")
        }
        ServerErrorKind::ResponseError if text.contains("NOPERM") || text.contains("ACL failure") => {
            (ErrorKind::PermissionDenied, "docs/errors.md lists the permissions a user needs")
        }
        _ => (ErrorKind::Internal, ""),
    }
}

fn is_tls(text: &str) -> bool {
    ["certificate", "Certificate", "TLS", "tls", "handshake", "InvalidContentType", "corrupt message", "private key", "PEM"]
        .iter()
        .any(|word| text.contains(word))
}
