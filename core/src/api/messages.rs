//! Messages of a member, and who else is there.

use std::sync::Arc;

use crate::member::Subscription;
use crate::messaging::{Messaging, closed};
use crate::model::message::{Kind, MAX_DATA, MemberRef, MessageData, NewMessage, Receipt, To};
use crate::model::payload::Payload;
use crate::util::completion::{Done, awaited};
use crate::util::reconnect::ReconnectDelay;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;

/// A message as it arrives.
#[derive(Clone)]
pub struct Message {
    data: Arc<MessageData>,
    messaging: Arc<Messaging>,
}

impl Message {
    /// The program takes it; the sender gets its acknowledgement if it waits for one.
    pub(crate) fn taken(data: Arc<MessageData>, messaging: &Arc<Messaging>) -> Message {
        if data.kind == Kind::Acknowledged {
            // After the member has ended none can be sent.
            let _ = messaging.answer(&data, Kind::Acknowledgement, Payload::default());
        }
        Message { data, messaging: messaging.clone() }
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
        self.messaging.answer(&self.data, Kind::Reply, payload)
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.data.fmt(f)
    }
}

/// The messages of a member. Clones are of the same member.
///
/// ```no_run
/// use std::time::Duration;
///
/// use libswarm::{Event, Master, NewMessage, Payload, To, Worker};
///
/// # async fn example(master: Master, worker: Worker) -> libswarm::Result<()> {
/// worker.messages().listen().await?;
/// tokio::spawn(async move {
///     while let Some(event) = worker.next().await {
///         if let Event::Message(message) = event {
///             let _ = message.reply(Payload::bytes("pong"));
///         }
///     }
/// });
/// let request = NewMessage::json(To::All, "ping")?.request(Duration::from_secs(1));
/// println!("{} replies", master.messages().send(request).await?.replies.len());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Messages {
    pub(crate) messaging: Arc<Messaging>,
}

impl Messages {
    /// Subscribes this member to messages: [`Event::Message`](crate::Event::Message). Returns when Redis has registered it, also after an outage.
    pub async fn listen(&self) -> Result<()> {
        self.subscribe(Subscription::Messages).await
    }

    /// Subscribes this member to members that join, leave or are lost: [`Event::Member`](crate::Event::Member). Returns as [`Messages::listen`] does.
    pub async fn watch(&self) -> Result<()> {
        self.subscribe(Subscription::Members).await
    }

    /// Queues a message; any thread, never blocks. Messages of a member are sent in the order of these calls. `done` is called when Redis has put
    /// it into the inboxes, or, if it waits for acknowledgements or replies, when all are there or the time is over.
    pub fn submit(&self, message: NewMessage, done: Done<Receipt>) {
        match message.check() {
            Ok(()) => self.messaging.submit(message, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Sends a message; see [`Messages::submit`].
    pub async fn send(&self, message: NewMessage) -> Result<Receipt> {
        awaited(|done| self.submit(message, done), closed).await
    }

    /// Asks the programs of members that listen to end with this exit code: [`Event::Kill`](crate::Event::Kill). The receiver decides what to do; see
    /// [`Worker::on_kill`](crate::Worker::on_kill).
    pub async fn kill(&self, to: To, code: i32) -> Result<Receipt> {
        let message = NewMessage::json(to, &code)?.to_self(true);
        message.check()?;
        awaited(|done| self.messaging.kill(message, done), closed).await
    }

    /// Confirms a name to all members that wait for it with [`Messages::confirmations`]: a barrier.
    pub async fn confirm(&self, name: &str) -> Result<()> {
        check_name("confirmation", name)?;
        awaited(|done| self.messaging.confirm(name, done), closed).await.map(drop)
    }

    /// Waits until so many distinct members have confirmed this name, from now on; answers them in the order in which they did. Listens from now on.
    pub async fn confirmations(&self, count: usize, name: &str) -> Result<Vec<MemberRef>> {
        check_name("confirmation", name)?;
        let waiting = self.messaging.confirmations(count, name);
        self.listen().await?;
        waiting.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Sets the data of this member in [`MemberInfo`](crate::MemberInfo): JSON of at most 4 KiB.
    pub async fn set_data(&self, json: impl Into<String>) -> Result<()> {
        let json = json.into();
        if json.len() > MAX_DATA {
            let text = format!("the data has {} bytes, the limit is {MAX_DATA}", json.len());
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(&json).is_err() {
            return Err(invalid("the data of a member is not JSON"));
        }
        let shared = &self.messaging.shared;
        shared.profile.set_data(json.clone());
        shared.ready().await?;
        shared.open_store()?.listen(&shared.incarnation(), "data", &json).await
    }

    async fn subscribe(&self, to: Subscription) -> Result<()> {
        self.messaging.subscribe(to);
        let shared = &self.messaging.shared;
        shared.ready().await?;
        let mut backoff = ReconnectDelay::new(shared.store.longest_backoff());
        // An incarnation outlives short outages: it must not miss messages after one.
        loop {
            match shared.open_store()?.listen(&shared.incarnation(), to.command(), "").await {
                Err(error) if error.kind().is_retryable() => tokio::time::sleep(backoff.next()).await,
                done => return done,
            }
        }
    }
}
