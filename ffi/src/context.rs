//! The part of every object with calls: its process, the runtime, and the thread for its callbacks.

use std::ffi::c_int;
use std::sync::{Arc, OnceLock, Weak};

use libswarm::Result;
use tokio::runtime::Handle;

use crate::dispatch::{Dispatch, Source};
use libswarm_host::fork::Origin;

pub(crate) struct Context {
    pub(crate) owner: Origin,
    pub(crate) handle: Handle,
    pub(crate) dispatch: Arc<Dispatch>,
    /// The name of the thread for its callbacks.
    thread: &'static str,
    /// The source of its events.
    source: OnceLock<Weak<dyn Source>>,
}

impl Context {
    pub(crate) fn new(owner: Origin, handle: &Handle, thread: &'static str) -> Arc<Context> {
        let (handle, dispatch) = (handle.clone(), Arc::default());
        Arc::new(Context { owner, handle, dispatch, thread, source: OnceLock::new() })
    }

    /// Set once, before the program gets the object.
    pub(crate) fn set_source(&self, source: &Arc<impl Source>) {
        let source: Arc<dyn Source> = source.clone();
        let _ = self.source.set(Arc::downgrade(&source));
    }

    /// None once the object was freed.
    pub(crate) fn source(&self) -> Option<Arc<dyn Source>> {
        self.source.get().and_then(Weak::upgrade)
    }

    /// The callbacks, with a thread to run them.
    pub(crate) fn serve(&self) -> Result<&Arc<Dispatch>> {
        if let Some(source) = self.source() {
            self.dispatch.start(self.thread, source)?;
        }
        Ok(&self.dispatch)
    }

    /// The descriptor for callbacks on a thread of the program.
    pub(crate) fn fd(&self) -> Result<c_int> {
        self.dispatch.fd()
    }

    /// Runs waiting callbacks on the calling thread.
    pub(crate) fn run_callbacks(&self) -> Result<()> {
        self.dispatch.check_outside("dispatching")?;
        if let Some(source) = self.source() {
            self.dispatch.dispatch(&*source);
        }
        Ok(())
    }
}
