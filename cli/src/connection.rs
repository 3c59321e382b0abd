//! The connection to the cluster.

use std::time::Duration;

use libswarm::{Cluster, Error, ErrorKind, Event, Master, Options};
use tokio::runtime::Handle;

use crate::exit::Trouble;
use crate::global::Global;

/// The name of the master that a command is.
pub(crate) const MEMBER_NAME: &str = "swarm";
/// The variable with the keys of encrypted values. There is no such argument, because arguments are visible to other users of the machine.
const CODEC_KEYS: &str = "SWARM_CODEC_KEYS";
/// How long leaving may take: what was asked for is done already.
const LEAVE: Duration = Duration::from_secs(1);

/// The cluster that the arguments name.
pub(crate) fn cluster(global: &Global) -> Result<Cluster, Trouble> {
    let Some(name) = &global.cluster else {
        return Err(Trouble::usage("name the cluster: --cluster NAME, or the variable SWARM_CLUSTER"));
    };
    named(global, name)
}

/// The cluster with this name at the server that the arguments name.
pub(crate) fn named(global: &Global, name: &str) -> Result<Cluster, Trouble> {
    let connection = &global.connection;
    let timeout = global.timeout.as_millis().to_string();
    let interval = connection.credentials_interval.map(|interval| interval.as_millis().to_string());
    let codec_keys = std::env::var(CODEC_KEYS).ok().filter(|keys| !keys.is_empty());
    let settings = [
        ("url", &connection.redis),
        ("username", &connection.username),
        ("password", &connection.password),
        ("credentials_file", &connection.credentials_file),
        ("credentials_interval", &interval),
        ("db", &connection.db),
        ("prefix", &connection.prefix),
        ("sentinel_username", &connection.sentinel_username),
        ("sentinel_password", &connection.sentinel_password),
        ("tls_ca", &connection.tls_ca),
        ("tls_cert", &connection.tls_cert),
        ("tls_key", &connection.tls_key),
        ("tls_verify", &connection.tls_verify),
        ("eviction", &connection.eviction),
        ("codec_keys", &codec_keys),
        ("timeout", &Some(timeout)),
        ("name", &Some(MEMBER_NAME.to_owned())),
    ];
    let set = settings.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    Ok(set.fold(Cluster::builder(name), |builder, (name, value)| builder.option(name, value)).build()?)
}

/// A master of the cluster, which leaves at the end.
pub(crate) struct Session {
    pub(crate) master: Master,
    /// The address, without a login.
    pub(crate) address: String,
    pub(crate) cluster: String,
}

impl Session {
    /// Does not wait for the registration: a server that refuses writes can still be read.
    pub(crate) fn open(global: &Global) -> Result<Session, Trouble> {
        Session::of(cluster(global)?.options().clone())
    }

    pub(crate) fn of(options: Options) -> Result<Session, Trouble> {
        let (address, cluster) = (options.address.to_string(), options.cluster.clone());
        Ok(Session { master: Master::start(options, &Handle::current())?, address, cluster })
    }

    /// The result of a call; an error at once if Redis cannot be reached, instead of after the time limit.
    pub(crate) async fn get<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
        Ok(self.try_get(call).await?)
    }

    /// As [`Session::get`], with the error as it is.
    pub(crate) async fn try_get<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            result = call => result,
            error = self.away() => Err(error),
        }
    }

    /// As [`Session::get`], for a call that needs a registered master.
    pub(crate) async fn get_registered<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
        self.get(async {
            self.master.ready().await?;
            call.await
        })
        .await
    }

    /// Resolves when the master finds that Redis cannot be reached.
    async fn away(&self) -> Error {
        loop {
            match self.master.next().await {
                Some(Event::Error(error)) if is_away(error.kind()) => return error,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Leaves the cluster.
    pub(crate) async fn close(self) {
        self.leave().await;
    }

    /// As [`Session::close`], for a session that others use, too.
    pub(crate) async fn leave(&self) {
        // If Redis is away, the lease ends by itself.
        let _ = tokio::time::timeout(LEAVE, self.master.close()).await;
    }
}

fn is_away(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::ReadOnlyReplica | ErrorKind::TooManyClients | ErrorKind::ProxyFailed)
}
