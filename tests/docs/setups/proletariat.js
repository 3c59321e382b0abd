// BLOCK
const [manager, worker, client] = [new Manager(), new Worker({ slots: 2 }), new Client()];
manager.start();
worker.on("work", ({ args }, done) => done(null, args.a + args.b));
worker.start();
client.work([{ a: 1, b: 2 }], { timeout: 10_000 }, async (error, [{ data }]) => {
  console.log("result", data);
  await Promise.all([client.close(), worker.stop(), manager.stop()]);
});
