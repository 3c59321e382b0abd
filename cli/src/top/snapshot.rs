//! Looks at the cluster.

use std::time::{Duration, Instant};

use libswarm::{Error, Snapshot};
use serde::Serialize;

use crate::commands::status::without_own;
use crate::connection::Session;
use crate::recent::{self, Recent};

/// How often the times are read: they change slowly, and cost several calls.
const TIMES_EVERY: Duration = Duration::from_secs(5);

/// What one look finds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Look {
    #[serde(flatten)]
    pub(crate) snapshot: Snapshot,
    /// Of the last five minutes.
    #[serde(rename = "recent")]
    pub(crate) times: Recent,
}

/// The times that the looks share.
#[derive(Default)]
pub(crate) struct Looks(Option<(Instant, Recent)>);

impl Looks {
    /// Reads the state of the cluster with one call, without the master that reads it, and the times if they are old.
    pub(crate) async fn look(&mut self, session: &Session) -> Result<Look, Error> {
        let mut snapshot = session.try_get(session.master.snapshot()).await?;
        without_own(&mut snapshot, session);
        let times = match &self.0 {
            Some((at, times)) if at.elapsed() < TIMES_EVERY => times.clone(),
            _ => {
                let times = recent::read(session).await?;
                self.0 = Some((Instant::now(), times.clone()));
                times
            }
        };
        Ok(Look { snapshot, times })
    }
}
