"use strict";
// Help for tests: a private Redis, clusters whose clock can be moved, and jobs for handlers without a cluster.

const { TestCluster, cluster, privateRedis } = require("../lib/test_cluster.js");
const TestJob = require("../lib/test_job.js");

module.exports = { TestCluster, TestJob, cluster, privateRedis };
