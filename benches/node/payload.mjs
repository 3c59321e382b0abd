// The clock and the payload.

/** Jobs in one call that adds in bulk. */
export const CALL = 10_000;
/** Adds under way at once when jobs are added one by one. */
export const IN_FLIGHT = 1000;
/** Slots of a worker. */
export const SLOTS = 1000;
/** Number of the first job. */
export const FIRST = 1_000_000_000;

/** Nanoseconds on the clock that all processes of the machine share; exact to 1 us or better until it has run for 100 days. */
export const monotonic = () => Number(process.hrtime.bigint());

export const payload = (n) => ({ n, to: "somebody@example.org", text: "the quick brown fox jumps over the lazy dog, every single day" });

export const say = (...words) => process.stdout.write(words.join(" ") + "\n");
