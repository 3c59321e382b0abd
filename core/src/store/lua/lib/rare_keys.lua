-- Keys that only some clusters have, besides those of one member, task, resource or queue.
local keys = require('keys')
local rare = {}
for _, part in ipairs({
  'delayed', 'blocked', 'resources', 'stopping', 'unique', 'progress', 'tasks', 'queues', 'index', 'paused', 'listeners', 'watchers', 'unreported', 'unread',
  'damaged', 'stray', 'broadcasts', 'schedules', 'schedule_jobs', 'schedule_ids', 'schedule_times',
  'limits', 'limit_times', 'limit_turns', 'group_waiting', 'stopping_limits', 'orders',
  'waits', 'uses', 'outputs', 'settling', 'failed_nodes', 'flows', 'stages', 'flow_answers', 'events',
  'completed', 'completed_at', 'completed_until', 'logs', 'metrics', 'metric_minutes',
}) do
  rare[part] = keys.prefix .. part
end
return rare
