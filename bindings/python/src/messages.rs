//! Messages between members, and changes of members, as classes of `libswarm.types`, except for the message itself.

use std::sync::{Arc, OnceLock};

use libswarm::{Change, ContentType, Error, ErrorKind, Event, MemberRef, Messages, NewMessage, Payload, Receipt, Role, To};
use libswarm_host::lock::Mutex;
use libswarm_host::subscriptions::{Subscriptions, Topic};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::errors::{invalid, not_copied, raise};
use crate::fork::Owned;
use crate::info::content_type;
use crate::mailbox::Post;
use crate::options::{Text, flag, integer, some_duration, text};
use crate::package::package;
use crate::payload::{decode, encode};
use crate::runtime::Runtime;

/// A received message.
#[pyclass(frozen, weakref, module = "libswarm")]
pub(crate) struct Message {
    inner: Owned<libswarm::Message>,
    /// The payload as a Python object, created at the first access.
    payload: OnceLock<Py<PyAny>>,
}

impl Message {
    pub(crate) fn new(message: libswarm::Message) -> Self {
        Message { inner: Owned::new(message), payload: OnceLock::new() }
    }

    fn inner(&self) -> PyResult<&libswarm::Message> {
        self.inner.get().map_err(raise)
    }
}

#[pymethods]
impl Message {
    /// The payload: a value parsed from JSON, or bytes. Raises SwarmInvalidArgument if the sender's JSON is invalid; see `body`.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(payload) = self.payload.get() {
            return Ok(payload.bind(py).clone());
        }
        let payload = decode(py, self.inner()?.payload())?.unbind();
        Ok(self.payload.get_or_init(|| payload).bind(py).clone())
    }

    /// The payload's bytes as they were sent.
    #[getter]
    fn payload_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.inner()?.payload().bytes))
    }

    /// "json" or "bytes".
    #[getter]
    fn content_type(&self) -> PyResult<&'static str> {
        Ok(content_type(self.inner()?.payload()))
    }

    /// The member that sent it.
    #[getter]
    fn sender<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        member(py, self.inner()?.from())
    }

    /// Whether the sender waits for a reply.
    #[getter]
    fn wants_reply(&self) -> PyResult<bool> {
        Ok(self.inner()?.wants_reply())
    }

    /// Queues a reply: a value that JSON can write, or bytes, at most 64 KiB; only the first reply counts. Never blocks; can be called from any
    /// thread, at any time. Raises SwarmInvalidArgument if the sender does not wait for a reply, and SwarmTooLarge. Returns False if the member is
    /// closed, which may happen before its last messages are delivered.
    fn reply(&self, payload: &Bound<'_, PyAny>) -> PyResult<bool> {
        match self.inner()?.reply(encode(payload)?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Closed => Ok(false),
            Err(error) => Err(raise(error)),
        }
    }

    /// Raises: a message belongs to its member.
    fn __reduce__(&self) -> PyResult<()> {
        Err(not_copied("a Message", "its payload"))
    }

    fn __repr__(&self) -> PyResult<String> {
        let MemberRef { incarnation, name, .. } = self.inner()?.from();
        Ok(format!("<Message from {:?}>", if name.is_empty() { incarnation } else { name }))
    }
}

/// Builds a message to send from the program's arguments.
pub(crate) fn new_message(
    to: &Bound<'_, PyAny>,
    payload: &Bound<'_, PyAny>,
    acknowledged: &Bound<'_, PyAny>,
    request: &Bound<'_, PyAny>,
    to_self: &Bound<'_, PyAny>,
) -> PyResult<NewMessage> {
    let message = NewMessage::new(address(to)?, encode(payload)?).to_self(flag("to_self", to_self)?);
    Ok(match (some_duration("acknowledged", acknowledged)?, some_duration("request", request)?) {
        (Some(_), Some(_)) => return Err(invalid("a message has one limit, acknowledged or request; a reply acknowledges, too")),
        (Some(limit), None) => message.acknowledged(limit),
        (None, Some(limit)) => message.request(limit),
        (None, None) => message,
    })
}

/// The recipients: "all", or a dict.
pub(crate) fn address(to: &Bound<'_, PyAny>) -> PyResult<To> {
    let unknown = || invalid(r#"to must be "all", {"group": …}, {"name": …}, {"pid": …, "host": …} or {"member": …}"#);
    if let Ok(text) = to.cast::<PyString>() {
        return if text.to_string_lossy() == "all" { Ok(To::All) } else { Err(unknown()) };
    }
    let (Ok(fields), mut host) = (to.cast::<PyDict>(), String::new()) else { return Err(unknown()) };
    let mut found = None;
    for (field, value) in fields {
        let field = text("a field of to", &field)?;
        let text = || text(&field, &value);
        let one = match &*field {
            "group" => To::Group(text()?),
            "name" => To::Name(text()?),
            "member" => To::Member(text()?),
            "pid" => {
                let number = integer("pid", &value)?;
                let pid = number.try_into().map_err(|_| invalid(format!("pid is {number}, not the number of a process")))?;
                To::Process { pid, host: String::new() }
            }
            "host" => {
                host = text()?;
                continue;
            }
            _ => return Err(unknown()),
        };
        if found.replace(one).is_some() {
            return Err(unknown());
        }
    }
    match found {
        Some(To::Process { pid, .. }) => Ok(To::Process { pid, host }),
        Some(to) if !fields.contains("host")? => Ok(to),
        _ => Err(unknown()),
    }
}

/// A number of members.
pub(crate) fn how_many(count: &Bound<'_, PyAny>) -> PyResult<usize> {
    let number = integer("count", count)?;
    number.try_into().map_err(|_| invalid(format!("count is {number}, not a number of members")))
}

/// The code with which a program must exit.
pub(crate) fn exit_code(code: &Bound<'_, PyAny>) -> PyResult<i32> {
    let number = integer("code", code)?;
    number.try_into().map_err(|_| invalid(format!("code is {number}, not the exit code of a process")))
}

/// The data of a member, as JSON text.
pub(crate) fn data(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let Payload { bytes, content_type: ContentType::Json } = encode(value)? else {
        return Err(invalid("bytes cannot be the data of a member, which is JSON"));
    };
    String::from_utf8(bytes).map_err(|_| invalid("the data of a member is not UTF-8"))
}

/// Subscriptions of a member; their errors are events.
pub(crate) struct Subscribed {
    post: Mutex<Option<Arc<Post>>>,
    errors: Mutex<Vec<Error>>,
    subscriptions: Subscriptions,
}

impl Subscribed {
    pub(crate) fn new(post: Option<Arc<Post>>) -> Arc<Self> {
        Arc::new(Subscribed { post: Mutex::new(post), errors: Mutex::default(), subscriptions: Subscriptions::default() })
    }

    /// Sets the mailbox that announces events.
    pub(crate) fn set_post(&self, post: Arc<Post>) {
        *self.post.lock() = Some(post);
    }

    /// Subscribes to the messages or changes of this event. Never waits.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        runtime: &Runtime,
        messages: Messages,
        event: &Text,
        is_registered: IsRegistered,
    ) -> PyResult<()> {
        let topic =
            Topic::of_event(&event.0).ok_or_else(|| invalid(format!("no subscription brings the event `{}`", event.0)))?;
        let (subscribed, alive) = (self.clone(), runtime.clone());
        let failed = move |error| {
            subscribed.failed(error);
            drop(alive);
        };
        self.subscriptions.start(runtime.handle(), messages, topic, is_registered, failed);
        Ok(())
    }

    /// Waits until Redis has confirmed all subscriptions, or the member has reported an error.
    pub(crate) async fn settled(&self) {
        self.subscriptions.settled().await;
    }

    fn failed(&self, error: Error) {
        tracing::warn!(target: "libswarm::messages", kind = error.kind().name(), "{error}");
        self.errors.lock().push(error);
        if let Some(post) = &*self.post.lock() {
            post.announce();
        }
    }

    /// Events of failed subscriptions.
    pub(crate) fn take(&self) -> impl Iterator<Item = Event> + use<> {
        std::mem::take(&mut *self.errors.lock()).into_iter().map(Event::Error)
    }
}

type IsRegistered = Box<dyn Fn() -> bool + Send>;

pub(crate) fn receipt<'py>(py: Python<'py>, receipt: &Receipt) -> PyResult<Bound<'py, PyAny>> {
    let Receipt { recipients, dropped, replies, missing } = receipt;
    let replies: Vec<_> = replies
        .iter()
        .map(|(from, payload)| {
            let payload_bytes = payload.as_ref().map(|payload| PyBytes::new(py, &payload.bytes));
            package(py)?.reply.bind(py).call1((member(py, from)?, payload_bytes, payload.as_ref().map(content_type)))
        })
        .collect::<PyResult<_>>()?;
    package(py)?.receipt.bind(py).call1((recipients, dropped, replies, missing))
}

pub(crate) fn members<'py>(py: Python<'py>, members: &[MemberRef]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    members.iter().map(|one| member(py, one)).collect()
}

pub(crate) fn change<'py>(py: Python<'py>, change: Change, role: Role, who: &MemberRef) -> PyResult<Bound<'py, PyAny>> {
    package(py)?.member_change.bind(py).call1((change.name(), role.name(), member(py, who)?))
}

pub(crate) fn kill<'py>(py: Python<'py>, code: i32, from: &MemberRef) -> PyResult<Bound<'py, PyAny>> {
    package(py)?.kill_request.bind(py).call1((code, member(py, from)?))
}

fn member<'py>(py: Python<'py>, member: &MemberRef) -> PyResult<Bound<'py, PyAny>> {
    let MemberRef { incarnation, name, group, host, pid } = member;
    package(py)?.member_ref.bind(py).call1((incarnation, name, group, host, pid))
}
