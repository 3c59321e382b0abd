//! Messages between members, as plain data.

use std::time::Duration;

use super::payload::Payload;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;
use libswarm_common::value::{YEAR, within};

/// The limit of bytes of a message's payload.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// The limit of bytes of the data that a member sets with `set_data`.
pub const MAX_DATA: usize = 4096;

/// The recipients. Only members that [subscribe to messages](crate::Messages::listen) receive messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Every member.
    All,
    /// Every member with this value of the option `group`.
    Group(String),
    /// Every member with this value of the option `name`.
    Name(String),
    /// The members of one process.
    Process {
        /// Its process id.
        pid: u32,
        /// Its host name; empty for the host of the sender.
        host: String,
    },
    /// The member with this incarnation.
    Member(String),
}

/// A message to send. Create it with [`NewMessage::json`] or [`NewMessage::bytes`].
///
/// ```
/// use std::time::Duration;
///
/// use libswarm::{NewMessage, To};
///
/// let message = NewMessage::json(To::Group("eu".into()), "reload")?.acknowledged(Duration::from_secs(1));
/// # Ok::<(), libswarm::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub(crate) to: To,
    pub(crate) payload: Payload,
    pub(crate) wants: Wants,
    pub(crate) to_self: bool,
}

/// What the sender waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Nothing,
    Acknowledgements(Duration),
    Replies(Duration),
}

impl NewMessage {
    /// A message with a JSON payload.
    pub fn json<T: serde::Serialize + ?Sized>(to: To, value: &T) -> Result<NewMessage> {
        Ok(NewMessage::new(to, Payload::json(value)?))
    }

    /// A message with a payload of bytes.
    pub fn bytes(to: To, bytes: impl Into<Vec<u8>>) -> NewMessage {
        NewMessage::new(to, Payload::bytes(bytes))
    }

    /// A message with this payload, of at most 64 KiB.
    pub fn new(to: To, payload: Payload) -> NewMessage {
        NewMessage { to, payload, wants: Wants::Nothing, to_self: false }
    }

    /// Waits up to `limit` until each recipient's program has taken the message or the recipient is gone.
    pub fn acknowledged(mut self, limit: Duration) -> NewMessage {
        self.wants = Wants::Acknowledgements(limit);
        self
    }

    /// Waits up to `limit` until each recipient has replied or is gone.
    pub fn request(mut self, limit: Duration) -> NewMessage {
        self.wants = Wants::Replies(limit);
        self
    }

    /// Whether the sender may be a recipient; default false.
    pub fn to_self(mut self, to_self: bool) -> NewMessage {
        self.to_self = to_self;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        match &self.to {
            To::All | To::Process { .. } => {}
            To::Group(name) => check_name("group", name)?,
            To::Name(name) => check_name("name", name)?,
            To::Member(name) => check_name("incarnation", name)?,
        }
        let limit = match self.wants {
            Wants::Nothing => None,
            Wants::Acknowledgements(limit) => Some(("call.acknowledged", limit)),
            Wants::Replies(limit) => Some(("call.request", limit)),
        };
        if let Some((name, limit)) = limit {
            within(name, limit, Duration::from_millis(1), YEAR)?;
        }
        let size = self.payload.bytes.len();
        if size > MAX_MESSAGE {
            return Err(Error::new(ErrorKind::TooLarge, format!("the message has {size} bytes, the limit is {MAX_MESSAGE}")));
        }
        Ok(())
    }
}

/// The identity of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct MemberRef {
    /// Its incarnation.
    pub incarnation: String,
    /// The option `name`.
    pub name: String,
    /// The option `group`.
    pub group: String,
    /// The host name of its machine.
    pub host: String,
    /// Its process id.
    pub pid: u32,
}

/// The result of sending a message.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Receipt {
    /// The incarnations of the recipients.
    pub recipients: Vec<String>,
    /// How many more recipients there would have been: their inboxes are full, because they do not read them.
    pub dropped: u64,
    /// The recipients that acknowledged or replied, in the order in which they did, and the payload of a reply.
    pub replies: Vec<(MemberRef, Option<Payload>)>,
    /// The recipients that did not answer in time, or are gone.
    pub missing: Vec<String>,
}

/// The content of a message entry in an inbox.
#[derive(Debug)]
pub(crate) struct MessageData {
    pub(crate) kind: Kind,
    /// The number of the message, which grows with each message of the sender.
    pub(crate) number: u64,
    /// The number of the message to which this one replies.
    pub(crate) about: u64,
    /// The id of the sender, which is the same in all its incarnations.
    pub(crate) sender: String,
    pub(crate) from: MemberRef,
    pub(crate) payload: Payload,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Message = 0,
    Acknowledged = 1,
    Request = 2,
    Acknowledgement = 3,
    Reply = 4,
    Confirmation = 5,
    Kill = 6,
}

impl Kind {
    pub(crate) fn from_number(number: i64) -> Option<Kind> {
        use Kind::{Acknowledged, Acknowledgement, Confirmation, Kill, Message, Reply, Request};
        [Message, Acknowledged, Request, Acknowledgement, Reply, Confirmation, Kill]
            .into_iter()
            .find(|kind| *kind as i64 == number)
    }

    /// Whether it is an acknowledgement or a reply.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Kind::Acknowledgement | Kind::Reply)
    }
}

impl MessageData {
    /// The requested exit code, if this is a request to exit.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        (self.kind == Kind::Kill).then(|| self.payload.to().unwrap_or(1))
    }
}

/// The role of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Role {
    /// It adds jobs and awaits results.
    Master,
    /// It runs jobs.
    Worker,
    /// The role is one of a newer version of libswarm, or the member's record is damaged.
    #[default]
    Unknown,
}

impl Role {
    /// The name of the role, which is the same in every language.
    pub fn name(self) -> &'static str {
        match self {
            Role::Master => "master",
            Role::Worker => "worker",
            Role::Unknown => "unknown",
        }
    }

    /// The role with this name.
    pub(crate) fn from_name(name: &str) -> Role {
        match name {
            "master" => Role::Master,
            "worker" => Role::Worker,
            _ => Role::Unknown,
        }
    }
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What happened to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Change {
    /// It registered.
    Joined,
    /// It left the cluster.
    Left,
    /// Its lease ended: it crashed or was cut off.
    Lost,
}

impl Change {
    /// All changes with their names, which are the same in every language.
    pub const ALL: [(&'static str, Change); 3] = [("joined", Change::Joined), ("left", Change::Left), ("lost", Change::Lost)];

    /// The name of the change, which is the same in every language.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, change)| *change == self).map_or("", |(name, _)| name)
    }
}
