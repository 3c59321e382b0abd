//! Messages between members, and who comes and goes.
//!
//! A message goes through the inbox of each member that hears it, so that a dropped connection loses none. Those of one sender arrive in their
//! order, each once. What a member has not read is bounded; what is dropped is counted and told to both sides.

mod answers;
mod exit;
mod inbound;
mod outbox;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

pub(crate) use answers::Answers;
pub(crate) use exit::ExitOnKill;
pub(crate) use inbound::Inbound;
pub(crate) use outbox::{Outbox, Sender};

use crate::job::Payload;
use crate::member::{Backoff, Shared};
use crate::worker::Done;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::value::{YEAR, within};

/// A message's payload has at most this many bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// What a member says of itself has at most this many bytes.
pub const MAX_DATA: usize = 4096;

/// Who is meant. Only members that [listen](Messages::listen) hear messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// Every member.
    All,
    /// Every member whose option `group` is this.
    Group(String),
    /// Every member whose option `name` is this.
    Name(String),
    /// The members of one process.
    Process {
        /// Its number.
        pid: u32,
        /// Its machine, as members tell theirs; empty for this one.
        host: String,
    },
    /// The member of this incarnation.
    Member(String),
}

/// A message to send. Made by [`NewMessage::json`] or [`NewMessage::bytes`].
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub(crate) to: To,
    pub(crate) payload: Payload,
    pub(crate) wants: Wants,
    pub(crate) to_self: bool,
}

/// What a sender waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Nothing,
    Acknowledgements(Duration),
    Replies(Duration),
}

impl NewMessage {
    /// A message of JSON.
    pub fn json<T: serde::Serialize + ?Sized>(to: To, value: &T) -> Result<NewMessage> {
        Ok(NewMessage::new(to, Payload::json(value)?))
    }

    /// A message of bytes.
    pub fn bytes(to: To, bytes: impl Into<Vec<u8>>) -> NewMessage {
        NewMessage::new(to, Payload::bytes(bytes))
    }

    /// A message with this payload, of at most 64 KiB.
    pub fn new(to: To, payload: Payload) -> NewMessage {
        NewMessage { to, payload, wants: Wants::Nothing, to_self: false }
    }

    /// Waits up to `limit` until each that hears it has taken it, or is gone.
    pub fn acknowledged(mut self, limit: Duration) -> NewMessage {
        self.wants = Wants::Acknowledgements(limit);
        self
    }

    /// Waits up to `limit` until each that hears it has replied, or is gone.
    pub fn request(mut self, limit: Duration) -> NewMessage {
        self.wants = Wants::Replies(limit);
        self
    }

    /// Whether the sender may be among those who hear it; false unless set.
    pub fn to_self(mut self, to_self: bool) -> NewMessage {
        self.to_self = to_self;
        self
    }

    fn check(&self) -> Result<()> {
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

/// Which member it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemberRef {
    /// Its identity.
    pub incarnation: String,
    /// The option `name`.
    pub name: String,
    /// The option `group`.
    pub group: String,
    /// The machine it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
}

/// What became of a message.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// The incarnations that it was sent to.
    pub recipients: Vec<String>,
    /// How many more should have heard it, but do not read their inboxes, which are full.
    pub dropped: u64,
    /// Those who acknowledged it or replied, in the order in which they did; a reply's payload.
    pub replies: Vec<(MemberRef, Option<Payload>)>,
    /// The recipients that had not in time, or are gone.
    pub missing: Vec<String>,
}

/// A message as it arrives.
#[derive(Clone)]
pub struct Message {
    data: Arc<MessageData>,
    outbox: Arc<Outbox>,
}

/// What one entry of an inbox says.
#[derive(Debug)]
pub(crate) struct MessageData {
    pub(crate) kind: Kind,
    /// Of the sender, growing.
    pub(crate) number: u64,
    /// The number of the message that this answers.
    pub(crate) about: u64,
    /// The sender through all its incarnations.
    pub(crate) sender: String,
    pub(crate) from: MemberRef,
    pub(crate) payload: Payload,
}

/// What a message is for.
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

    /// Whether it answers a message.
    pub(crate) fn is_answer(self) -> bool {
        matches!(self, Kind::Acknowledgement | Kind::Reply)
    }
}

impl MessageData {
    /// The code with which the program is asked to end, if it is.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        (self.kind == Kind::Kill).then(|| self.payload.to().unwrap_or(1))
    }
}

impl Message {
    /// The program takes it: whoever waits for that is told.
    pub(crate) fn taken(data: Arc<MessageData>, outbox: &Arc<Outbox>) -> Message {
        if data.kind == Kind::Acknowledged {
            // After the member has ended nobody can be told.
            let _ = outbox.answer(&data, Kind::Acknowledgement, Payload::default());
        }
        Message { data, outbox: outbox.clone() }
    }

    /// What was sent.
    pub fn payload(&self) -> &Payload {
        &self.data.payload
    }

    /// The payload, read as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.data.payload.to()
    }

    /// Who sent it.
    pub fn from(&self) -> &MemberRef {
        &self.data.from
    }

    /// Whether the sender waits for a reply.
    pub fn wants_reply(&self) -> bool {
        self.data.kind == Kind::Request
    }

    /// Replies, to be sent soon; a member's first reply to a message counts. Never blocks. [`ErrorKind::Closed`] once the member is closed.
    pub fn reply(&self, payload: Payload) -> Result<()> {
        if !self.wants_reply() {
            return Err(invalid("nobody waits for a reply to this message"));
        }
        NewMessage::new(To::Member(self.data.from.incarnation.clone()), payload.clone()).check()?;
        self.outbox.answer(&self.data, Kind::Reply, payload)
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.data.fmt(f)
    }
}

/// How a member came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It registered.
    Joined,
    /// It said that it goes.
    Left,
    /// Its lease ended: it died, or was cut off.
    Lost,
}

impl Change {
    /// All, by their names in every language.
    pub const ALL: [(&'static str, Change); 3] = [("joined", Change::Joined), ("left", Change::Left), ("lost", Change::Lost)];

    /// Its name in every language.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, change)| *change == self).map_or("", |(name, _)| name)
    }
}

/// The messages of a member. Clones are of the same member.
#[derive(Clone)]
pub struct Messages {
    pub(crate) shared: Arc<Shared>,
}

impl Messages {
    /// From now on this member hears messages: [`Event::Message`](crate::Event::Message). Returns when Redis knows, also after an outage.
    pub async fn listen(&self) -> Result<()> {
        self.hear("listen").await
    }

    /// From now on this member is told who comes and goes: [`Event::Member`](crate::Event::Member). Returns as [`Messages::listen`] does.
    pub async fn watch(&self) -> Result<()> {
        self.hear("watch").await
    }

    /// Queues a message; any thread, never blocks. Messages of a member are sent in the order of these calls. `done` hears when Redis has put
    /// it into the inboxes, or what the message waits for has come or its time is over.
    pub fn submit(&self, message: NewMessage, done: Done<Receipt>) {
        match message.check() {
            Ok(()) => self.shared.messages.submit(message, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Sends a message; see [`Messages::submit`].
    pub async fn send(&self, message: NewMessage) -> Result<Receipt> {
        let (sender, receiver) = oneshot::channel();
        self.submit(message, Box::new(move |result| drop(sender.send(result))));
        receiver.await.unwrap_or_else(|_| Err(outbox::closed()))
    }

    /// Asks the programs of those who listen to end with this exit code: [`Event::Kill`](crate::Event::Kill). What they do is theirs to say; see
    /// [`Worker::exit_on_kill`](crate::Worker::exit_on_kill).
    pub async fn kill(&self, to: To, code: i32) -> Result<Receipt> {
        let message = NewMessage::json(to, &code)?.to_self(true);
        message.check()?;
        let (sender, receiver) = oneshot::channel();
        self.shared.messages.kill(message, Box::new(move |result| drop(sender.send(result))));
        receiver.await.unwrap_or_else(|_| Err(outbox::closed()))
    }

    /// Says under a name that this member is so far, to all that wait for it with [`Messages::confirmations`].
    pub async fn confirm(&self, name: &str) -> Result<()> {
        check_name("confirmation", name)?;
        let (sender, receiver) = oneshot::channel();
        self.shared.messages.confirm(name, Box::new(move |result| drop(sender.send(result))));
        receiver.await.unwrap_or_else(|_| Err(outbox::closed())).map(drop)
    }

    /// Waits until so many distinct members have confirmed this name, from now on; answers them in the order in which they did. Listens from now on.
    pub async fn confirmations(&self, count: usize, name: &str) -> Result<Vec<MemberRef>> {
        check_name("confirmation", name)?;
        let waiting = self.shared.messages.inbound.confirmations(count, name);
        self.listen().await?;
        waiting.await.unwrap_or_else(|_| Err(outbox::closed()))
    }

    /// What this member says of itself to all that ask who is there: JSON of at most 4 KiB.
    pub async fn set_data(&self, json: impl Into<String>) -> Result<()> {
        let json = json.into();
        if json.len() > MAX_DATA {
            let text = format!("the data has {} bytes, the limit is {MAX_DATA}", json.len());
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_err() {
            return Err(invalid("the data of a member is not JSON"));
        }
        self.shared.messages.set_data(json.clone());
        self.shared.ready().await?;
        self.shared.open_store()?.listen(&self.shared.incarnation(), "data", &json).await
    }

    async fn hear(&self, what: &str) -> Result<()> {
        self.shared.messages.hear(what);
        self.shared.ready().await?;
        let mut backoff = Backoff::new(self.shared.store.longest_backoff());
        // An incarnation outlives short outages: it must not stay deaf after one.
        loop {
            match self.shared.open_store()?.listen(&self.shared.incarnation(), what, "").await {
                Err(error) if error.kind().is_retryable() => tokio::time::sleep(backoff.next()).await,
                done => return done,
            }
        }
    }
}
