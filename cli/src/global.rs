//! Options of every command.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::output::times::parse_duration;

/// When output has colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options of every command. Those of the connection have the names of the options of members.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The cluster.
    #[arg(long, short, global = true, env = "SWARM_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON: one document, or a line for each item of what is followed.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colors.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", hide_possible_values = true)]
    pub(crate) color: ColorChoice,
    /// How long a call waits for Redis, such as 500ms or 5s.
    #[arg(long, global = true, value_parser = parse_duration, default_value = "5s", value_name = "TIME")]
    pub(crate) timeout: Duration,
    #[command(flatten, next_help_heading = "Connection")]
    pub(crate) connection: Connection,
}

/// Where Redis is, and how to log in.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Connection {
    /// Address: redis://, rediss:// for TLS, unix://, redis+sentinel:// or redis+cluster:// [default: redis://localhost:6379].
    #[arg(long, global = true, env = "SWARM_REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) redis: Option<String>,
    /// ACL user.
    #[arg(long, global = true, env = "SWARM_REDIS_USERNAME", hide_env_values = true, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// Password. Set the variable instead: arguments are visible to other users of the machine.
    #[arg(long, global = true, env = "SWARM_REDIS_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// JSON file with `username` and `password`, read again when it changes.
    #[arg(long, global = true, env = "SWARM_CREDENTIALS_FILE", value_name = "FILE")]
    pub(crate) credentials_file: Option<String>,
    /// How often that file is read again.
    #[arg(long, global = true, value_parser = parse_duration, value_name = "TIME")]
    pub(crate) credentials_interval: Option<Duration>,
    /// Number of the database.
    #[arg(long, global = true, value_name = "NUMBER")]
    pub(crate) db: Option<String>,
    /// Replaces the cluster's name in the keys.
    #[arg(long, global = true, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// ACL user at the Sentinels.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) sentinel_username: Option<String>,
    /// Password at the Sentinels.
    #[arg(long, global = true, env = "SWARM_SENTINEL_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub(crate) sentinel_password: Option<String>,
    /// PEM file of the authorities to trust instead of the system's.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_ca: Option<String>,
    /// PEM file of the client's certificate.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_cert: Option<String>,
    /// PEM file of the client's key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) tls_key: Option<String>,
    /// Whether the server's certificate is verified: true or false.
    #[arg(long, global = true, value_name = "BOOL")]
    pub(crate) tls_verify: Option<String>,
    /// A server that may evict keys: refuse or warn.
    #[arg(long, global = true, value_name = "WHAT")]
    pub(crate) eviction: Option<String>,
}
