import testing from "./index.js";

export const { TestCluster, TestJob, cluster, privateRedis } = testing;

export default testing;
