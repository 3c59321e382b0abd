//! Messages between members, and who comes and goes. What a program gives and hears of them is in `lib/messages.js`.

use std::sync::Arc;
use std::time::Duration;

use libswarm::{Error, ErrorKind, Message, Messages, NewMessage, Payload, To};
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::mailbox::Mailbox;
use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};
use crate::worker::NativeWorker;

/// JSON or bytes.
type Content = Either<String, Buffer>;

/// How many of what a member is to hear are still on their way to Redis.
#[derive(Clone, Default)]
pub struct Hearing(Arc<watch::Sender<usize>>);

/// One of them, until it is dropped.
pub struct UnderWay(Arc<watch::Sender<usize>>);

impl Hearing {
    fn begin(&self) -> UnderWay {
        self.0.send_modify(|count| *count += 1);
        UnderWay(self.0.clone())
    }

    async fn settled(&self) {
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// The native half of a message to which a reply can be sent; it ends with its JavaScript.
#[napi]
pub struct NativeRequest {
    message: Message,
}

impl NativeRequest {
    /// The request of a message that wants a reply.
    pub fn of(message: &Message) -> Option<NativeRequest> {
        message.wants_reply().then(|| NativeRequest { message: message.clone() })
    }
}

#[napi]
impl NativeRequest {
    /// Replies; the first one counts.
    #[napi(catch_unwind)]
    pub fn reply(&self, content: Content) -> Option<Failure> {
        self.message.reply(payload(content)).err().map(Failure::from)
    }
}

/// The same for masters and workers.
macro_rules! messages {
    ($native:ident) => {
        #[napi]
        impl $native {
            /// Hears messages (`message`), or who comes and goes (`member`), from now on. Nobody waits for it: what goes wrong is an event.
            #[napi(catch_unwind)]
            pub fn hear(&self, what: String) {
                if let Some(open) = &self.session {
                    let (member, heard) = (open.member.clone(), open.hearing.begin());
                    let hear = hear(member.messages(), what, open.mailbox.clone(), move || member.incarnation().is_some());
                    open.threads.spawn(async move {
                        hear.await;
                        drop(heard);
                    });
                }
            }

            /// Waits until the member is registered, and hears what it was told to before.
            #[napi(catch_unwind)]
            pub fn ready(&self, token: u32) {
                if let Some(open) = &self.session {
                    let hearing = open.hearing.clone();
                    open.call(token, |member| async move {
                        let ready = member.ready().await;
                        if ready.is_ok() {
                            hearing.settled().await;
                        }
                        answer(ready, |()| Answer::Done)
                    });
                }
            }

            /// Sends a message; `to` is a kind and its names, `wants` is 1 for acknowledgements and 2 for replies, for up to `limit` milliseconds.
            #[napi(catch_unwind)]
            pub fn send(&self, token: u32, to: Vec<String>, content: Content, wants: u32, limit: f64, to_self: bool) {
                if let Some(open) = &self.session {
                    let message = new_message(&to, content, wants, limit).map(|message| message.to_self(to_self));
                    send(&open.member.messages(), open.mailbox.clone(), token, message);
                }
            }

            /// Asks programs to end with this exit code.
            #[napi(catch_unwind)]
            pub fn kill(&self, token: u32, to: Vec<String>, code: i32) {
                self.call(token, move |member| async move {
                    let receipt = match recipients(&to) {
                        Ok(to) => member.messages().kill(to, code).await,
                        Err(error) => Err(error),
                    };
                    answer(receipt, Answer::Receipt)
                });
            }

            /// Bounds the end of this process once it is asked to; JavaScript does the rest.
            #[napi(catch_unwind)]
            pub fn exit_on_kill(&self, grace: f64) {
                if let Some(open) = &self.session {
                    let grace = Duration::from_millis(grace as u64);
                    // Its bounds were checked.
                    let _ = open.member.exit_on_kill(grace, |_, _| std::future::pending());
                }
            }

            /// Says that this member is so far.
            #[napi(catch_unwind)]
            pub fn confirm(&self, token: u32, name: String) {
                self.call(token, |member| async move { answer(member.messages().confirm(&name).await, |()| Answer::Done) });
            }

            /// Waits until so many members have confirmed this name; answers who.
            #[napi(catch_unwind)]
            pub fn confirmations(&self, token: u32, count: u32, name: String) {
                self.call(token, move |member| async move {
                    answer(member.messages().confirmations(count as usize, &name).await, |members| json_of(&members))
                });
            }

            /// What the member says of itself, as JSON.
            #[napi(catch_unwind)]
            pub fn set_data(&self, token: u32, json: String) {
                self.call(token, |member| async move { answer(member.messages().set_data(json).await, |()| Answer::Done) });
            }
        }
    };
}

messages!(NativeMaster);
messages!(NativeWorker);

async fn hear(messages: Messages, what: String, mailbox: Arc<Mailbox>, is_registered: impl Fn() -> bool) {
    let heard = if what == "member" { messages.watch().await } else { messages.listen().await };
    match heard {
        // Why a member is not registered is told already; once it is, it hears.
        Err(error) if error.kind() != ErrorKind::Closed && is_registered() => mailbox.answer(0, Answer::Trouble(error)),
        _ => {}
    }
}

fn send(messages: &Messages, mailbox: Arc<Mailbox>, token: u32, message: Result<NewMessage, Error>) {
    match message {
        Ok(message) => messages.submit(message, Box::new(move |receipt| mailbox.answer(token, answer(receipt, Answer::Receipt)))),
        Err(error) => mailbox.answer(token, Answer::Failed(error)),
    }
}

fn recipients(to: &[String]) -> Result<To, Error> {
    Ok(match to {
        [kind] if kind == "all" => To::All,
        [kind, name] if kind == "group" => To::Group(name.clone()),
        [kind, name] if kind == "name" => To::Name(name.clone()),
        [kind, name] if kind == "member" => To::Member(name.clone()),
        [kind, pid, host] if kind == "pid" => {
            let pid = pid
                .parse()
                .map_err(|_| Error::new(ErrorKind::InvalidArgument, format!("`{pid}` is not the number of a process")))?;
            To::Process { pid, host: host.clone() }
        }
        _ => return Err(Error::new(ErrorKind::Internal, "a message from JavaScript is for nobody known")),
    })
}

fn new_message(to: &[String], content: Content, wants: u32, limit: f64) -> Result<NewMessage, Error> {
    let message = NewMessage::new(recipients(to)?, payload(content));
    let limit = Duration::from_millis(limit as u64);
    Ok(match wants {
        1 => message.acknowledged(limit),
        2 => message.request(limit),
        _ => message,
    })
}

fn payload(content: Content) -> Payload {
    match content {
        Either::A(json) => Payload::raw_json(json),
        Either::B(bytes) => Payload::bytes(&*bytes),
    }
}
