//! Limits of a cluster.

use libswarm_common::error::Result;
use libswarm_common::id::check_name;

use super::master::Master;
use crate::model::limit::{Limit, LimitInfo, check_limit_name};
use crate::store::codec::limit;

impl Master {
    /// Sets the figures of a limit for the whole cluster; jobs with the option `limits` are subject to it. A name `<group>:*` sets those of each limit
    /// `<group>:…` without figures of its own. Jobs that wait at the limit start as far as the new figures allow; active ones continue. Returns
    /// whether the limit had figures before.
    pub async fn limit(&self, name: &str, limit: Limit) -> Result<bool> {
        limit.check()?;
        self.change_limit("set", name, &limit::pack_figures(&limit)).await
    }

    /// Removes the figures of a limit: it allows everything, and jobs that wait at it can start. Returns whether it had figures.
    pub async fn remove_limit(&self, name: &str) -> Result<bool> {
        self.change_limit("remove", name, b"").await
    }

    /// The state of a limit, whether it has figures or not.
    pub async fn limit_info(&self, name: &str) -> Result<LimitInfo> {
        check_name("name of a limit", name)?;
        limit::info(&self.front.shared.open_store()?.inspect(&["limit", name]).await?)
    }

    async fn change_limit(&self, what: &str, name: &str, figures: &[u8]) -> Result<bool> {
        check_limit_name(name)?;
        let existed = self.front.shared.open_store()?.change_limit(what, name, figures).await?;
        self.front.shared.round_wanted.notify_one();
        Ok(existed)
    }
}
