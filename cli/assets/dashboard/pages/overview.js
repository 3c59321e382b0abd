// The overview: counts, live charts, and charts of the last hour.

import { call } from '../api.js';
import { drawChart, isDrawn, updateChart } from '../charts.js';
import { byId, h, jobLink, pageAddress } from '../dom.js';
import { formatDuration, formatNumber } from '../format.js';
import { state } from '../state.js';

// Live points come every 1.5 s, the others every minute; both may come late.
const LIVE_GAP_MS = 5000;
const HISTORY_GAP_MS = 61000;

const fields = (...names) => names.map((name) => ({ label: name, field: name }));
const percentiles = (prefix) => ['50', '95', '99'].map((rank) => ({ label: `p${rank}`, field: prefix + rank }));

const LIVE_CHARTS = [
  { title: 'Jobs per second', series: fields('added', 'completed', 'failed'), gapMs: LIVE_GAP_MS },
  { title: 'Jobs by state', series: fields('waiting', 'active', 'delayed', 'blocked'), gapMs: LIVE_GAP_MS },
];
const times = { format: formatDuration, minTop: 0.001, gapMs: HISTORY_GAP_MS };
const HISTORY_CHARTS = [
  { title: 'Wait of the last hour', series: percentiles('wait'), ...times },
  { title: 'Run of the last hour', series: percentiles('run'), ...times },
];

function draw() {
  const live = LIVE_CHARTS.map((chart) => drawChart(chart, state.points));
  return [h('h1', {}, 'Overview'), counts(), h('div', { class: 'charts' }, live), h('div', { class: 'charts', id: 'history' })];
}

function update() {
  for (const chart of LIVE_CHARTS) updateChart(chart, state.points);
  const current = counts();
  if (byId('cards').textContent !== current.textContent) byId('cards').replaceWith(current);
}

async function drawHistory() {
  const history = await call('api/history').catch(showHistoryError);
  if (history) showHistory(history.minutes);
}

function showHistoryError(error) {
  // Charts that are drawn stay: they are only older.
  if (!HISTORY_CHARTS.some(isDrawn)) byId('history')?.replaceChildren(h('p', { class: 'text-bad' }, error.message));
}

function showHistory(minutes) {
  const box = byId('history');
  // The viewer may have opened another page meanwhile.
  if (!box) return;
  if (HISTORY_CHARTS.some(isDrawn)) HISTORY_CHARTS.forEach((chart) => updateChart(chart, minutes));
  else box.replaceChildren(...HISTORY_CHARTS.map((chart) => drawChart(chart, minutes)));
}

function counts() {
  const { snapshot } = state.overview;
  const { stats } = snapshot;
  const workers = snapshot.members.filter((member) => member.role === 'worker');
  const cards = [
    ...['waiting', 'active', 'delayed', 'blocked'].map((name) => card(name, stats[name], pageAddress('jobs', { state: name }))),
    card('failed', stats.failed, pageAddress('failed')),
    card('workers', workers.length, pageAddress('workers')),
    card('completed in all', stats.completed),
    card('retries in all', stats.retries),
    card('crashes in all', stats.crashes),
    stats.damaged > 0 && card('damaged', stats.damaged, pageAddress('redis')),
  ];
  const first = snapshot.first_waiting ? h('p', {}, 'First to be assigned: ', jobLink(snapshot.first_waiting)) : null;
  return h('div', { id: 'cards' }, h('div', { class: 'cards' }, cards), first);
}

function card(name, count, href) {
  return h(href ? 'a' : 'div', { class: 'card', href }, h('b', {}, formatNumber(count)), h('span', {}, name));
}

export const overview = { title: 'Overview', key: 'o', live: true, draw, update, drawHistory };
