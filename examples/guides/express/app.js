// A web service whose slow work runs as jobs: node app.js
import express from "express";
import { createMaster, JobFailedError, NotFoundError, SwarmError, TimeoutError } from "assemblage";

const master = createMaster("shop", process.env.REDIS_URL ?? "redis://localhost:6379");     // one for each process
const app = express();
app.use(express.json());

// Adds a job, and answers with its result.
app.post("/invoices", async (req, res) => {
  res.json(await master.run(req.body, { task: "invoice", retries: 2, timeout: 10_000 }));
});

// Adds a job, and answers with its id. A client that repeats its request sends the same key: one job is added.
app.post("/invoices/later", async (req, res) => {
  const key = req.get("Idempotency-Key");
  const unique = key === undefined ? {} : { unique: { key, until: 86_400_000 } };
  const { id } = await master.add(req.body, { task: "invoice", retries: 2, result: true, resultTtl: 3_600_000, ...unique });
  res.status(202).json({ id });
});

// Answers with the result of a job, or with 202 if it is not there within `wait` milliseconds.
app.get("/invoices/:id", async (req, res) => {
  const timeout = Math.min(Number(req.query.wait) || 100, 30_000);
  try {
    res.json(await master.result(req.params.id, { timeout }));
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    res.status(202).json({ id: req.params.id });
  }
});

// Answers from memory, without a call to Redis.
app.get("/health", (req, res) => {
  const { healthy, errorMessage, added } = master.health();
  res.status(healthy ? 200 : 503).json({ added, error: errorMessage });
});

app.use((error, req, res, next) => {
  if (!(error instanceof SwarmError)) return next(error);
  if (error instanceof JobFailedError) return res.status(422).json({ error: error.message });
  if (error instanceof TimeoutError) return res.status(504).json({ error: "the job continues" });
  if (error instanceof NotFoundError) return res.status(404).end();        // never added, or its result is older than `resultTtl`
  res.status(error.retryable ? 503 : 500).json({ error: error.message });  // the client may repeat its request
});

const server = app.listen(process.env.PORT ?? 3000);
process.once("SIGTERM", () => {
  // Open requests are answered; then nothing keeps the process alive.
  server.close(() => master.close());
});
