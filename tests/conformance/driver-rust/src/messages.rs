//! Messages, for masters and workers alike.

use std::sync::Mutex;

use libswarm::{Error, Event, Leave, MemberRef, Message, Messages, NewMessage, Receipt, To};

use crate::line::{Answer, Command, misuse};

/// The message received last, which `reply` answers.
#[derive(Default)]
pub struct Last(Mutex<Option<Message>>);

impl Last {
    pub fn keep(&self, event: &Event) {
        if let Event::Message(message) = event {
            *self.0.lock().expect("not poisoned") = Some(message.clone());
        }
    }
}

/// Ends this program when a member asks for it, within a grace; something delays the end.
pub fn exit_on_kill(command: &Command) -> Result<impl FnOnce(i32, MemberRef, Leave) + Send + 'static, Error> {
    let delay = command.time("delay")?;
    libswarm_host::exit::on_request(command.time("grace")?, move |_, _| tokio::time::sleep(delay))
}

/// The answer to a command about messages; `None` if it is not one.
pub async fn obey(messages: &Messages, last: &Last, command: &Command) -> Result<Option<Answer>, Error> {
    Ok(Some(match command.name.as_str() {
        "listen" => messages.listen().await.map(|()| Answer::ok())?,
        "watch" => messages.watch().await.map(|()| Answer::ok())?,
        "send" => answer(messages.send(new_message(command)?).await?),
        "reply" => {
            let message = last.0.lock().expect("not poisoned").clone().ok_or_else(|| misuse("no message to reply to"))?;
            message.reply(command.payload()?).map(|()| Answer::ok())?
        }
        "confirm" => messages.confirm(command.text("name")?).await.map(|()| Answer::ok())?,
        "confirmations" => {
            let by = messages.confirmations(command.number("count")? as usize, command.text("name")?).await?;
            Answer::ok().with_list("names", by.into_iter().map(|member| member.name))
        }
        "end_program" => answer(messages.kill(to(command)?, command.number("code")? as i32).await?),
        "set_data" => messages.set_data(command.text("data")?).await.map(|()| Answer::ok())?,
        _ => return Ok(None),
    }))
}

fn to(command: &Command) -> Result<To, Error> {
    let to = command.text("to")?;
    let (kind, name) = to.split_once(':').unwrap_or((to, ""));
    Ok(match kind {
        "all" => To::All,
        "group" => To::Group(name.into()),
        "name" => To::Name(name.into()),
        "member" => To::Member(name.into()),
        "pid" => To::Process { pid: name.parse().map_err(|_| misuse("a pid is a number"))?, host: String::new() },
        _ => return Err(misuse(format!("no recipient is `{to}`"))),
    })
}

fn new_message(command: &Command) -> Result<NewMessage, Error> {
    let limit = |name: &str| command.get(name).map(|_| command.time(name)).transpose();
    let mut message = NewMessage::new(to(command)?, command.payload()?).to_self(command.get("to_self") == Some("true"));
    if let Some(limit) = limit("acknowledged")? {
        message = message.acknowledged(limit);
    }
    if let Some(limit) = limit("request")? {
        message = message.request(limit);
    }
    Ok(message)
}

fn answer(receipt: Receipt) -> Answer {
    let mut replies: Vec<_> = receipt
        .replies
        .iter()
        .map(|(member, payload)| {
            let text = payload.as_ref().map_or(String::new(), |payload| String::from_utf8_lossy(&payload.bytes).into_owned());
            format!("{}:{text}", member.name)
        })
        .collect();
    replies.sort();
    Answer::ok()
        .with("recipients", receipt.recipients.len())
        .with("dropped", receipt.dropped)
        .with("missing", receipt.missing.len())
        .with_list("replies", replies)
}
