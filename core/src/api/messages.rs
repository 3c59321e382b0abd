//! Messages of a member, and notifications about other members.

use std::sync::Arc;

use crate::member::Subscription;
use crate::messaging::{Messaging, closed};
use crate::model::message::{Kind, MAX_DATA, MemberRef, MessageData, NewMessage, Receipt, To};
use crate::model::payload::Payload;
use crate::util::completion::{Done, awaited};
use crate::util::reconnect::ReconnectDelay;
use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::id::check_name;

/// A received message.
#[derive(Clone)]
pub struct Message {
    data: Arc<MessageData>,
    messaging: Arc<Messaging>,
}

impl Message {
    /// Called when the program takes the message. Acknowledges it if the sender waits for an acknowledgement.
    pub(crate) fn taken(data: Arc<MessageData>, messaging: &Arc<Messaging>) -> Message {
        if data.kind == Kind::Acknowledged {
            // Fails only after the member has ended.
            let _ = messaging.answer(&data, Kind::Acknowledgement, Payload::default());
        }
        Message { data, messaging: messaging.clone() }
    }

    /// The payload.
    pub fn payload(&self) -> &Payload {
        &self.data.payload
    }

    /// The payload, parsed as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.data.payload.to()
    }

    /// The member that sent it.
    pub fn from(&self) -> &MemberRef {
        &self.data.from
    }

    /// Whether the sender waits for a reply.
    pub fn wants_reply(&self) -> bool {
        self.data.kind == Kind::Request
    }

    /// Queues a reply. Only the first reply of a member to a message counts. Never blocks. Fails with [`ErrorKind::Closed`] once the member is
    /// closed.
    pub fn reply(&self, payload: Payload) -> Result<()> {
        if !self.wants_reply() {
            return Err(invalid("the sender of this message does not wait for a reply"));
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

/// The messages of a member. Clones are handles of the same member.
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
    /// Subscribes this member to messages: [`Event::Message`](crate::Event::Message). Returns when Redis has registered the subscription;
    /// retries during an outage.
    pub async fn listen(&self) -> Result<()> {
        self.subscribe(Subscription::Messages).await
    }

    /// Subscribes this member to members that join, leave or are lost: [`Event::Member`](crate::Event::Member). Returns as [`Messages::listen`]
    /// does.
    pub async fn watch(&self) -> Result<()> {
        self.subscribe(Subscription::Members).await
    }

    /// Queues a message. Can be called from any thread and never blocks. Messages of a member are sent in the order of these calls. `done` is
    /// called when Redis has put the message into the inboxes. If the message waits for acknowledgements or replies, it is called when all have
    /// arrived or the time is over.
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

    /// Requests that the programs of subscribed members exit with this code: [`Event::Kill`](crate::Event::Kill). The receiver decides what to do;
    /// see [`Worker::on_kill`](crate::Worker::on_kill).
    pub async fn kill(&self, to: To, code: i32) -> Result<Receipt> {
        let message = NewMessage::json(to, &code)?.to_self(true);
        message.check()?;
        awaited(|done| self.messaging.kill(message, done), closed).await
    }

    /// Confirms a name to all members that wait for it with [`Messages::confirmations`]. Together these two calls are a barrier.
    pub async fn confirm(&self, name: &str) -> Result<()> {
        check_name("confirmation", name)?;
        awaited(|done| self.messaging.confirm(name, done), closed).await.map(drop)
    }

    /// Waits until `count` distinct members have confirmed this name since this call. Returns them in the order of their confirmations. Subscribes
    /// this member to messages.
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
        // Retries: the incarnation survives short outages, and a member that is not subscribed after one would miss messages.
        loop {
            match shared.open_store()?.listen(&shared.incarnation(), to.command(), "").await {
                Err(error) if error.kind().is_retryable() => tokio::time::sleep(backoff.next()).await,
                done => return done,
            }
        }
    }
}
