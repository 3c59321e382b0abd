const start = (payload) => console.log("started", payload);
const stop = () => console.log("stopped");
// BLOCK
worker.once("add", () => setImmediate(() => worker.terminate()));
