// Limits: what they allow and what they block.

import { call } from '../api.js';
import { h, table } from '../dom.js';
import { formatDuration, formatNumber } from '../format.js';

const COLUMNS = ['Limit', 'Allows', '>Active', '>Blocked', 'Next start'];

async function draw() {
  const { limits } = await call('api/limits');
  return [h('h1', {}, 'Limits'), table(COLUMNS, limits.map(limitRow), 'There is no limit.')];
}

function limitRow(limit) {
  const next = limit.next_in_ms > 0 ? `in ${formatDuration(limit.next_in_ms)}` : 'now';
  return [limit.name, allowance(limit), formatNumber(limit.active), formatNumber(limit.blocked), next];
}

function allowance({ rate, per, burst, concurrency }) {
  // Jobs may name a limit before anybody declares it.
  if (!rate && !concurrency) return h('span', { class: 'text-warn' }, 'not declared');
  const starts = rate && `${formatNumber(rate)} in ${formatDuration(per)}, burst ${formatNumber(burst ?? rate)}`;
  return [starts, concurrency && `${formatNumber(concurrency)} at once`].filter(Boolean).join('; ');
}

export const limits = { title: 'Limits', key: 'l', draw };
