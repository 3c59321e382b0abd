//! The private native module of the Python package: Python objects over the core, one crossing per batch.

mod call;
mod choices;
mod credentials;
mod errors;
mod event_info;
mod events;
mod exit;
mod finishes;
mod flow_info;
mod fork;
mod group;
mod info;
mod job;
mod job_events;
mod job_options;
mod limit_info;
mod limits;
mod logs;
mod mailbox;
mod master;
mod members;
mod messages;
mod messaging;
mod metrics_info;
mod new_job;
mod options;
mod package;
mod payload;
mod process;
mod runtime;
mod schedule_info;
mod schedules;
mod signals;
mod stages;
mod supervised;
mod supervisor;
mod testing;
mod value;
mod worker;

/// Private: `libswarm` is the public package.
#[pyo3::pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::call::Call;
    #[pymodule_export]
    use crate::choices::Choices;
    #[pymodule_export]
    use crate::errors::error_kinds;
    #[pymodule_export]
    use crate::exit::{begin_exit, end_exit, thread_number};
    #[pymodule_export]
    use crate::group::Group;
    #[pymodule_export]
    use crate::job::Job;
    #[pymodule_export]
    use crate::job_events::JobEvents;
    #[pymodule_export]
    use crate::limits::Limits;
    #[pymodule_export]
    use crate::logs::Log;
    #[pymodule_export]
    use crate::mailbox::Mailbox;
    #[pymodule_export]
    use crate::master::Master;
    #[pymodule_export]
    use crate::messages::Message;
    #[pymodule_export]
    use crate::messaging::Messages;
    #[pymodule_export]
    use crate::package::install;
    #[pymodule_export]
    use crate::payload::decode_json;
    #[pymodule_export]
    use crate::schedules::Schedules;
    #[pymodule_export]
    use crate::stages::{measure_stages, stages};
    #[pymodule_export]
    use crate::supervised::say_ready;
    #[pymodule_export]
    use crate::supervisor::Supervisor;
    #[pymodule_export]
    use crate::testing::{TestCluster, TestJob, private_redis};
    #[pymodule_export]
    use crate::worker::{Worker, check_options};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = libswarm::VERSION;

    /// The default of `slots` for a worker with a handler.
    #[pymodule_export]
    const DEFAULT_CONCURRENCY: u32 = libswarm::DEFAULT_CONCURRENCY;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        libswarm::Language::Python.make_current();
        crate::payload::prepare(module.py())?;
        crate::job::prepare(module.py())?;
        crate::fork::install()
    }
}
