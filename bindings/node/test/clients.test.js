"use strict";
// Addresses: urls, sockets, and the clients of other packages, which are read and left alone.

const assert = require("node:assert/strict");
const { test } = require("node:test");
const ioredis = require("ioredis");
const redis08 = require("redis08");
const redis09 = require("redis09");
const redis010 = require("redis010");
const redis012 = require("redis012");
const redis2 = require("redis2");
const redis3 = require("redis3");
const redis4 = require("redis4");
const redis5 = require("redis5");
const readClient = require("../lib/client.js");
const { Cluster, RedisServer, assemblage, atEnd, collect, until } = require("./support.js");

/** The options found, without those that are left open. */
const found = (client) => Object.fromEntries(Object.entries(readClient(client)).filter(([, value]) => value !== undefined));

for (const [name, redis] of [["0.8", redis08], ["0.9", redis09], ["0.10", redis010], ["0.12", redis012], ["2", redis2]]) {
  test(`clients of node_redis ${name}`, async (t) => {
    const server = await RedisServer.start(t, "--requirepass", "secret");
    const make = (...args) => {
      const client = redis.createClient(...args).on("error", () => {});
      atEnd(t, () => {
        // They connect again for ever else.
        client.closing = true;
        client.stream.destroy();
      });
      return client;
    };
    const { port } = server;
    const client = make(port, "127.0.0.1", { auth_pass: "secret" });
    client.auth("secret");
    await new Promise((resolve, reject) => client.select(3, (error) => (error ? reject(error) : resolve())));
    assert.deepEqual(found(client), { host: "127.0.0.1", port, db: 3, password: "secret" });
    assert.deepEqual(found(make(server.socket)), { socket: server.socket });
    // Port and host are missing: those of the client are known.
    assert.deepEqual(found(make()), { host: "127.0.0.1", port: 6379 });

    const cluster = new Cluster(t, { url: undefined, client });
    const jobs = collect(cluster.worker());
    await cluster.master().addJob({ n: 1 });
    await until(() => jobs.length === 1, "the job arrives");
  });
}

test("a client made of a stream", async (t) => {
  const server = await RedisServer.start(t);
  const stream = require("node:net").connect(server.port, "127.0.0.1");
  const client = new redis08.RedisClient(stream, {});
  atEnd(t, () => {
    client.closing = true;
    stream.destroy();
  });
  assert.throws(() => readClient(client), { code: "SWARM_INVALID_ARGUMENT" });
  await until(() => client.ready, "connected");
  assert.deepEqual(found(client), { host: "127.0.0.1", port: server.port });
});

test("a client whose address cannot be found is an error that names the option, and no default is taken for it", () => {
  const some = [
    {}, { options: {} }, { host: "h", port: 1 }, 5, "redis://h", [], () => {}, { options: null, selected_db: null }, { connection_options: {} },
    redis4.createCluster({ rootNodes: [{ url: "redis://h:1" }] }), redis5.createCluster({ rootNodes: [{ url: "redis://h:1" }] }),
    redis5.createClientPool({ url: "redis://h:1" }), redis5.createSentinel({ name: "main", sentinelRootNodes: [{ host: "s", port: 1 }] }),
  ];
  for (const client of some) {
    assert.throws(() => assemblage.createMaster("x", { client }), { code: "SWARM_INVALID_ARGUMENT", message: /`client`/ });
    assert.throws(() => readClient(client, "subscriber"), { code: "SWARM_INVALID_ARGUMENT", message: /`subscriber`/ });
  }
});

test("clients of node_redis 3", async (t) => {
  const make = (...args) => {
    const client = redis3.createClient(...args).on("error", () => {});
    atEnd(t, () => client.end(false));
    return client;
  };
  const options = { host: "127.0.0.1", port: 1, password: "secret", db: 2 };
  assert.deepEqual(found(make(options)), options);
  const { host, ...rest } = found(make("redis://ann:secret@127.0.0.1:1/3"));
  assert.deepEqual({ host, ...rest, db: Number(rest.db) }, { host: "127.0.0.1", port: 1, username: "ann", password: "secret", db: 3 });
  assert.deepEqual(found(make("/nowhere.sock")), { socket: "/nowhere.sock" });
});

for (const [name, redis] of [["redis 4", redis4], ["redis 5", redis5]]) {
  test(`clients of ${name}`, () => {
    assert.deepEqual(found(redis.createClient()), {});
    const address = { host: "db.example", port: 7000 };
    const login = { username: "ann", password: "secret" };
    assert.deepEqual(found(redis.createClient({ socket: { ...address }, ...login, database: 4 })), { ...address, ...login, db: 4 });
    const { url, ...parsed } = found(redis.createClient({ url: "rediss://ann:secret@db.example:7000/4" }));
    assert.ok(url !== undefined || parsed.host === "db.example");
    assert.deepEqual({ ...parsed, url: undefined }, { ...address, ...login, db: 4, tls: true, url: undefined });
    assert.deepEqual(found(redis.createClient({ socket: { path: "/some.sock" } })), { socket: "/some.sock" });
  });
}

test("clients of ioredis", () => {
  const lazy = { lazyConnect: true };
  assert.deepEqual(found(new ioredis({ host: "h", port: 7, password: "p", db: 2, ...lazy })), {
    host: "h", port: 7, password: "p", db: 2,
  });
  assert.deepEqual(found(new ioredis({ path: "/some.sock", ...lazy })), { socket: "/some.sock", db: 0 });
  assert.deepEqual(found(new ioredis({ sentinels: [{ host: "a", port: 1 }, { host: "b" }], name: "main", ...lazy })), {
    sentinels: ["a:1", "b:26379"], sentinelMaster: "main", db: 0,
  });
  const cluster = new ioredis.Cluster([{ host: "a", port: 1 }], { ...lazy, redisOptions: { password: "p", tls: {} } });
  assert.deepEqual(found(cluster), { nodes: ["a:1"], password: "p", tls: true });
  const forms = new ioredis.Cluster(["redis://a:5", 6000, "b:7", "c", { port: 3 }, { host: "d" }], lazy);
  assert.deepEqual(found(forms), { nodes: ["a:5", "127.0.0.1:6000", "b:7", "c:6379", "127.0.0.1:3", "d:6379"] });
  // As made by versions 1 to 3, which do not show that they are clusters.
  const old = { startupNodes: [{ host: "h", port: 1 }, "redis://j:5"], connectionPool: {}, options: { lazyConnect: true, redisOptions: { password: "x" } } };
  assert.deepEqual(found(old), { nodes: ["h:1", "j:5"], password: "x" });
});

test("a given client leads to its server, and is not used, changed or closed", async (t) => {
  const server = await RedisServer.start(t, "--requirepass", "secret");
  const clients = {
    redis3: redis3.createClient({ host: "127.0.0.1", port: server.port, password: "secret", db: 3 }),
    redis5: redis5.createClient({ url: `redis://:secret@127.0.0.1:${server.port}/3` }),
    ioredis: new ioredis({ host: "127.0.0.1", port: server.port, password: "secret", db: 3 }),
  };
  await clients.redis5.connect();
  atEnd(t, () => {
    clients.redis3.end(false);
    clients.redis5.destroy();
    clients.ioredis.disconnect();
  });
  const clientInfo = (name) => new Promise((resolve, reject) => {
    const client = clients[name];
    const settle = (error, answer) => (error ? reject(error) : resolve(answer));
    if (name === "redis3") client.send_command("CLIENT", ["INFO"], settle);
    else if (name === "redis5") client.sendCommand(["CLIENT", "INFO"]).then(resolve, reject);
    else client.call("CLIENT", "INFO", settle);
  });
  for (const [name, client] of Object.entries(clients)) {
    const cluster = new Cluster(t, { url: undefined, client });
    const [master, worker] = [cluster.master(), cluster.worker()];
    assert.equal(master.redisClient, client);
    assert.equal(worker.db, 3, name);
    const jobs = collect(worker);
    await master.addJob({ n: 1 });
    await until(() => jobs.length === 1, `the job arrives by ${name}`);
    await worker.terminate();
    await master.close();
    assert.match(await clientInfo(name), / db=3 /, name);
  }
  const elsewhere = new Cluster(t, { url: undefined, client: clients.redis3, db: 1, host: "ignored", port: 1 }).master();
  await elsewhere.ready();
  assert.equal(elsewhere.db, 1);
});

test("a Unix socket, and a url with a database", async (t) => {
  const server = await RedisServer.start(t);
  for (const options of [{ socket: server.socket }, { url: `unix://${server.socket}?db=2` }, { url: `${server.url}/2` }]) {
    const cluster = new Cluster(t, { url: undefined, ...options });
    const jobs = collect(cluster.worker());
    await cluster.master().addJob({ n: 1 });
    await until(() => jobs.length === 1, JSON.stringify(options));
  }
});
