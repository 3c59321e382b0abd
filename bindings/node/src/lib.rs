//! The private native addon of the Node package `assemblage`.
//!
//! Everything crosses the boundary in batches: jobs and finishes of one tick come in with one call ([`batch`]), events and answers go out with one
//! call after one wake-up ([`mailbox`], [`outgoing`]). `lib/wire.js` has the JavaScript side of each format. No user code runs on the threads
//! created here.

mod adding;
mod batch;
mod choice;
mod control;
mod credentials;
mod events;
mod failure;
mod flows;
mod followers;
mod group;
mod inspect;
mod limits;
mod log;
mod mailbox;
mod master;
mod messages;
mod metrics;
mod options;
mod outgoing;
mod request;
mod runtime;
mod schedules;
mod session;
mod stages;
#[cfg(unix)]
mod supervisor;
mod testing;
mod worker;

#[napi_derive::module_init]
fn init() {
    libswarm::Language::Node.make_current();
}
