import JobQueue from "./index.js";

export { JobQueue };
export default JobQueue;
