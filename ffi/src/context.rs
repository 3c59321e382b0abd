//! What every object has whose calls take time: its process, the runtime, and who runs its callbacks.

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
    /// Where its events come from.
    source: OnceLock<Weak<dyn Source>>,
}

impl Context {
    pub(crate) fn new(owner: Origin, handle: &Handle, thread: &'static str) -> Arc<Context> {
        let (handle, dispatch) = (handle.clone(), Arc::default());
        Arc::new(Context { owner, handle, dispatch, thread, source: OnceLock::new() })
    }

    /// Set once, before the object is given to the program.
    pub(crate) fn set_source(&self, source: &Arc<impl Source>) {
        let source: Arc<dyn Source> = source.clone();
        let _ = self.source.set(Arc::downgrade(&source));
    }

    /// None once the object was freed.
    pub(crate) fn source(&self) -> Option<Arc<dyn Source>> {
        self.source.get().and_then(Weak::upgrade)
    }

    /// The callbacks, with somebody to run them.
    pub(crate) fn serve(&self) -> Result<&Arc<Dispatch>> {
        if let Some(source) = self.source() {
            self.dispatch.start(self.thread, source)?;
        }
        Ok(&self.dispatch)
    }

    /// The descriptor for callbacks on the program's own thread.
    pub(crate) fn fd(&self) -> Result<c_int> {
        self.dispatch.fd()
    }

    /// Runs callbacks that wait, on the calling thread.
    pub(crate) fn run_callbacks(&self) -> Result<()> {
        self.dispatch.check_outside("dispatching")?;
        if let Some(source) = self.source() {
            self.dispatch.dispatch(&*source);
        }
        Ok(())
    }
}
