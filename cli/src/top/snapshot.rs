//! One look at the cluster.

use libswarm::{Error, Snapshot};

use crate::commands::status::without_own;
use crate::connection::Session;

/// Reads the state of the cluster with one call, without the master that reads it.
pub(crate) async fn read(session: &Session) -> Result<Snapshot, Error> {
    let mut snapshot = session.try_get(session.master.snapshot()).await?;
    without_own(&mut snapshot, session);
    Ok(snapshot)
}
