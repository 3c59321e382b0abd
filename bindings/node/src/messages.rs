//! Messages between members, and subscriptions. `lib/messages.js` has the classes for programs.

use std::sync::Arc;
use std::time::Duration;

use libswarm::{Error, ErrorKind, Messages, NewMessage, To};
use libswarm_host::subscriptions::Topic;
use napi_derive::napi;

use crate::mailbox::Mailbox;
use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};
use crate::request::{Content, payload};
use crate::worker::NativeWorker;

/// The methods that masters and workers share.
macro_rules! messages {
    ($native:ident) => {
        #[napi]
        impl $native {
            /// Subscribes to messages (`message`), or to members that join, leave or are lost (`member`). Never waits: an error is an event.
            #[napi(catch_unwind)]
            pub fn subscribe(&self, what: String) {
                if let (Some(open), Some(topic)) = (&self.session, Topic::of_event(&what)) {
                    let (member, mailbox) = (open.member.clone(), open.mailbox.clone());
                    let is_registered = move || member.incarnation().is_some();
                    let alive = open.threads.clone();
                    let failed = move |error| {
                        mailbox.answer(0, Answer::Trouble(error));
                        drop(alive);
                    };
                    open.subscriptions.start(open.threads.handle(), open.member.messages(), topic, is_registered, failed);
                }
            }

            /// Waits until the member is registered, with the subscriptions that were started before.
            #[napi(catch_unwind)]
            pub fn ready(&self, token: u32) {
                if let Some(open) = &self.session {
                    let subscriptions = open.subscriptions.clone();
                    open.call(token, |member| async move {
                        let ready = member.ready().await;
                        if ready.is_ok() {
                            subscriptions.settled().await;
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

            /// Requests that programs exit with this code.
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

            /// Enforces the grace of this process after a request to exit; JavaScript does the rest.
            #[napi(catch_unwind)]
            pub fn exit_on_kill(&self, grace: f64) {
                if let Some(open) = &self.session {
                    let grace = Duration::from_millis(grace as u64);
                    // The bounds were checked before.
                    if let Ok(hook) = libswarm_host::exit::on_request(grace, |_, _| std::future::pending()) {
                        open.member.on_kill(hook);
                    }
                }
            }

            /// Confirms a name.
            #[napi(catch_unwind)]
            pub fn confirm(&self, token: u32, name: String) {
                self.call(token, |member| async move { answer(member.messages().confirm(&name).await, |()| Answer::Done) });
            }

            /// Waits until `count` members have confirmed this name; answers with these members.
            #[napi(catch_unwind)]
            pub fn confirmations(&self, token: u32, count: u32, name: String) {
                self.call(token, move |member| async move {
                    answer(member.messages().confirmations(count as usize, &name).await, |members| json_of(&members))
                });
            }

            /// Sets the data of the member, as JSON.
            #[napi(catch_unwind)]
            pub fn set_data(&self, token: u32, json: String) {
                self.call(token, |member| async move { answer(member.messages().set_data(json).await, |()| Answer::Done) });
            }
        }
    };
}

messages!(NativeMaster);
messages!(NativeWorker);

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
        _ => return Err(Error::new(ErrorKind::Internal, "a message from JavaScript has an unknown kind of recipients")),
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
