//! The prefix of all keys, their deletion by `obliterate`, and scripts without flags.

use super::bench::bench;
use super::server::Redis;
use crate::store::script::Scripts;

#[tokio::test]
async fn obliterate_leaves_no_key_and_no_key_is_outside_the_prefix() {
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
async fn scripts_load_without_flags_as_servers_before_redis_7_require() {
    let redis = Redis::start();
    for script in Scripts::new(false).all() {
        assert!(!script.source().starts_with("#!"), "{}", script.name);
        assert_eq!(redis.ask::<String>(&["SCRIPT", "LOAD", script.source()]), script.digest(), "{}", script.name);
    }
}
