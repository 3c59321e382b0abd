// The server of Redis, and what is wrong with it.

import { call } from '../api.js';
import { definitions, h } from '../dom.js';
import { formatBytes, formatDuration, formatNumber, plural } from '../format.js';
import { state } from '../state.js';

async function draw() {
  const server = await call('api/redis');
  return [h('h1', {}, 'Redis'), definitions(Object.entries(facts(server))), h('h2', {}, 'Findings'), findingsList(findings(server))];
}

function facts(server) {
  return {
    Address: server.address,
    Server: `${server.name} ${server.version}, ${server.mode}, ${server.role}`,
    Memory: `${formatBytes(server.used_memory)} of ${server.max_memory ? formatBytes(server.max_memory) : 'no limit'}`,
    Eviction: server.eviction_policy || 'unknown',
    Persistence: persistence(server),
    'Last save': server.save_failed ? h('span', { class: 'text-bad' }, 'failed') : 'ok',
    Connections: `${formatNumber(server.clients)} of ${formatNumber(server.max_clients)}`,
    'Round trip': `${formatNumber(server.round_trip_us / 1000)} ms`,
    Clock: clockText(server.clock_ahead_ms),
  };
}

function persistence(server) {
  const appendOnly = server.append_only ? `append-only file, fsync ${server.append_fsync ?? 'unknown'}` : 'no append-only file';
  return `${appendOnly}; ${server.snapshots ? `snapshots ${server.snapshots}` : 'no snapshots'}`;
}

// The clock of the server by that of the dashboard.
function clockText(aheadMs) {
  if (aheadMs === null) return 'unknown';
  return aheadMs === 0 ? 'as here' : `${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

function findings(server) {
  const denied = (server.denied ?? []).map((name) => `The user may not call ${name}.`);
  const damaged = state.overview?.snapshot?.stats.damaged;
  return [server.refusal, ...denied, ...server.warnings, damaged > 0 && damageText(damaged)].filter(Boolean);
}

function damageText(damaged) {
  const entries = plural(damaged, 'damaged entry').replace('entrys', 'entries');
  return `${entries} repaired or set aside since the cluster was created; \`swarm doctor\` shows what to do.`;
}

function findingsList(found) {
  if (found.length === 0) return h('p', { class: 'text-ok' }, 'Nothing to do.');
  return h('ul', {}, found.map((text) => h('li', { class: 'text-warn' }, text)));
}

export const redis = { title: 'Redis', key: 'r', draw };
