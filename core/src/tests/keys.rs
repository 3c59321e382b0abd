//! The prefix of all keys, their deletion by `obliterate`, and scripts without flags.

use super::bench::bench;
use super::server::Redis;
use crate::store::script::Scripts;

#[tokio::test]
async fn nothing_is_left_after_obliterate_and_nothing_is_outside_the_prefix() {
    let b = bench();
    b.join("w", &[]).await;
    b.join("v", &[]).await;
    b.add("w", 1, &[("1", false), ("2", true)]).await;
    b.take("v", 1, 1).await;
    b.store.leave("w").await.unwrap();
    b.store.delete(&["1".into()]).await.unwrap();
    let keys: Vec<String> = b.ask(&["KEYS", "*"]);
    assert!(keys.iter().all(|key| key.starts_with("{t}:")), "{keys:?}");
    b.store.obliterate().await.unwrap();
    assert_eq!(b.ask::<Vec<String>>(&["KEYS", "*"]), Vec::<String>::new());
}

#[tokio::test]
async fn scripts_run_without_flags_too_as_servers_before_redis_7_want_them() {
    let redis = Redis::start();
    for script in Scripts::new(false).all() {
        assert!(!script.source().starts_with("#!"), "{}", script.name);
        assert_eq!(redis.ask::<String>(&["SCRIPT", "LOAD", script.source()]), script.digest(), "{}", script.name);
    }
}
