//! Exit codes, and the errors that lead to them.

use std::process::ExitCode;

use libswarm::{Error, ErrorKind};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The answer is no: nothing was found, a job failed, trouble was found.
    No = 1,
    /// The arguments are wrong.
    Usage = 2,
    /// Redis cannot be reached, or does not answer in time.
    Away = 3,
    /// Redis answers, and refuses or cannot be used.
    Refused = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that ends the program.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) exit: Exit,
    /// The name of the kind of error of libswarm, or "".
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn usage(message: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::Usage, kind: "INVALID_ARGUMENT", message: message.into() }
    }

    pub(crate) fn no(message: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::No, kind: "", message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Trouble {
        Trouble { exit: Exit::No, kind: ErrorKind::NotFound.name(), message: message.into() }
    }

    /// Nobody reads the output any more: no error.
    pub(crate) fn unread() -> Trouble {
        Trouble { exit: Exit::Ok, kind: "", message: String::new() }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let exit = exit_of(error.kind());
        let hint = match error.kind() {
            ErrorKind::Unavailable => "\n`swarm doctor` shows more; `swarm up` starts a server for development.",
            _ => "",
        };
        Trouble { exit, kind: error.kind().name(), message: format!("{}{hint}", error.message()) }
    }
}

/// The exit code for a kind of error.
pub(crate) fn exit_of(kind: ErrorKind) -> Exit {
    use ErrorKind as K;
    match kind {
        K::InvalidArgument | K::TooLarge => Exit::Usage,
        K::Unavailable | K::Timeout | K::OutcomeUnknown | K::ProxyFailed => Exit::Away,
        K::AuthFailed
        | K::PermissionDenied
        | K::WrongServer
        | K::UnsupportedVersion
        | K::ReadOnlyReplica
        | K::EvictionPolicy
        | K::StoreFull
        | K::StoreCorrupt
        | K::ProtocolVersion
        | K::Tls
        | K::TooManyClients
        | K::ProtectedMode
        | K::PersistenceFailed
        | K::NotEnoughReplicas => Exit::Refused,
        _ => Exit::No,
    }
}
