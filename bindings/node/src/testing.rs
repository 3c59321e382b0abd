//! Help for the tests of programs; `lib/testing.js` has the rest.

use std::time::Duration;

use libswarm::{Event, testing};
use napi::bindgen_prelude::{Either, Function};
use napi_derive::napi;

use crate::failure::Failure;
use crate::options;
use crate::outgoing::{Answer, answer};
use crate::session::{Session, session};

/// A cluster without events.
#[derive(Clone)]
pub struct TestCluster(testing::TestCluster);

impl TestCluster {
    fn take_events(&self, _: usize) -> Vec<Event> {
        Vec::new()
    }
}

/// An open cluster for tests. Calls pass a token, with which `take` returns their answers.
#[napi]
pub struct NativeTestCluster {
    session: Option<Session<TestCluster>>,
}

/// Opens a cluster for tests; `wake` is called when there are answers.
#[napi(catch_unwind)]
pub fn open_test_cluster(
    cluster: String,
    settings: Vec<String>,
    wake: Function<'_, (), ()>,
) -> napi::Result<Either<NativeTestCluster, Failure>> {
    let opened = Session::open(
        &wake,
        |threads| testing::TestCluster::new(options::parse(&cluster, &settings)?, threads.handle()).map(TestCluster),
        |_, _| {},
    )?;
    Ok(match opened {
        Ok(session) => Either::A(NativeTestCluster { session: Some(session) }),
        Err(error) => Either::B(error.into()),
    })
}

/// The URL of the Redis for tests; the first call may start it.
#[napi(catch_unwind)]
pub fn private_redis() -> Either<String, Failure> {
    testing::private_redis().map_or_else(|error| Either::B(error.into()), Either::A)
}

/// A new name of a cluster for tests.
#[napi(catch_unwind)]
pub fn test_cluster_name() -> String {
    testing::random_name()
}

session!(NativeTestCluster, TestCluster);

#[napi]
impl NativeTestCluster {
    /// Waits until nothing is left to do now, at most `limit` milliseconds.
    #[napi(catch_unwind)]
    pub fn settled(&self, token: u32, limit: f64) {
        self.call(token, move |cluster| async move { answer(cluster.0.settled(milliseconds(limit)).await, |()| Answer::Done) });
    }

    /// Moves the clock ahead by milliseconds.
    #[napi(catch_unwind)]
    pub fn advance(&self, token: u32, by: f64) {
        self.call(token, move |cluster| async move { answer(cluster.0.advance(milliseconds(by)).await, |()| Answer::Done) });
    }

    /// Removes the cluster from Redis.
    #[napi(catch_unwind)]
    pub fn obliterate(&self, token: u32) {
        self.call(token, |cluster| async move { answer(cluster.0.obliterate().await, |()| Answer::Done) });
    }
}

fn milliseconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value / 1000.0).unwrap_or(Duration::MAX)
}
