//! The private native addon of the Node package `assemblage`.
//!
//! Everything crosses the boundary in batches: jobs and finishes of one tick come in with one call ([`batch`]), events
//! and answers go out with one call after one wake ([`mailbox`], [`outgoing`]). The JavaScript side of each format is
//! in `lib/wire.js`. No user code runs on the threads made here.

mod batch;
mod choice;
mod failure;
mod group;
mod inspect;
mod log;
mod mailbox;
mod master;
mod messages;
mod options;
mod outgoing;
mod request;
mod runtime;
mod session;
mod stages;
#[cfg(unix)]
mod supervisor;
mod worker;

#[napi_derive::module_init]
fn init() {
    libswarm::Language::Node.make_current();
}
