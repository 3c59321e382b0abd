"""A Redis user that may do what libswarm needs, and nothing else."""

from .redis_server import Redis

# What a member sends itself, then what the scripts use on the cluster's keys. In a Redis Cluster `+cluster|slots` is needed, too.
MINIMAL_ACL = (
    "+hello +select +ping +info +evalsha +eval +xread "
    "+time +exists +del +unlink "
    "+hset +hsetnx +hget +hmget +hdel +hlen +hexists +hincrby "
    "+lpush +rpush +lpop +lrem +llen "
    "+sadd +srem +spop +scard +smembers +smismember "
    "+zadd +zrem +zrange +zscore +zcard +zpopmin "
    "+xadd +xtrim"
)


def add_acl_user(server: Redis, name: str, password: str, cluster: str, rules: str = MINIMAL_ACL) -> None:
    """Makes the user, whose keys are those of `cluster` only."""
    server.command("ACL", "SETUSER", name, "reset", "on", f">{password}", f"~{{{cluster}}}:*", *rules.split())
