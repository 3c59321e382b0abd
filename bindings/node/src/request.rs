//! Messages to which a reply can be sent.

use libswarm::{Message, Payload};
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;

use crate::failure::Failure;

/// JSON or bytes.
pub type Content = Either<String, Buffer>;

/// The payload of a message from JavaScript.
pub fn payload(content: Content) -> Payload {
    match content {
        Either::A(json) => Payload::raw_json(json),
        Either::B(bytes) => Payload::bytes(&*bytes),
    }
}

/// The native half of a message to which a reply can be sent; collected with its JavaScript object.
#[napi]
pub struct NativeRequest {
    message: Message,
}

impl NativeRequest {
    /// The request of a message whose sender waits for a reply.
    pub fn of(message: &Message) -> Option<NativeRequest> {
        message.wants_reply().then(|| NativeRequest { message: message.clone() })
    }
}

#[napi]
impl NativeRequest {
    /// Sends a reply; only the first one counts.
    #[napi(catch_unwind)]
    pub fn reply(&self, content: Content) -> Option<Failure> {
        self.message.reply(payload(content)).err().map(Failure::from)
    }
}
