// Tasks: what waits, who works, waits and runs of the last hour, and pauses.

import { actionButton } from '../actions.js';
import { HISTORY_MS, call } from '../api.js';
import { h, link, table } from '../dom.js';
import { NONE, formatDuration, formatNumber, isMissing, taskLabel } from '../format.js';
import { state } from '../state.js';

// The name under which a pause of all tasks is listed.
const ALL = '*';
const COLUMNS = ['Task', '>Waiting', '>Groups', '>Oldest', '>Workers', '>Free slots', '>Wait p50 / p95 / p99', '>Run p50 / p95 / p99', '', ''];

// Waits and runs by task, of the last hour.
const recent = { tasks: {}, readAt: 0, error: '' };

function draw() {
  readRecent();
  const { snapshot } = state.overview;
  const rows = [...countTasks(snapshot)].sort(([a], [b]) => a.localeCompare(b)).map(([name, counts]) => taskRow(name, counts, snapshot));
  const allPaused = snapshot.paused.includes(ALL);
  return [
    h('h1', {}, 'Tasks'),
    allPaused && h('p', { class: 'text-warn' }, 'All tasks are paused.'),
    recent.error && h('p', { class: 'text-bad' }, recent.error),
    table(COLUMNS, rows, 'No job waits, and no worker is there.'),
    snapshot.more_queues && h('p', { class: 'dim' }, 'There are more queues than are shown.'),
    h('div', { class: 'more' }, allPaused ? resumeAll() : pauseAll()),
  ];
}

// The page is drawn with each overview; this is read less often, and shown by the next drawing.
async function readRecent() {
  if (Date.now() - recent.readAt < HISTORY_MS) return;
  recent.readAt = Date.now();
  try {
    recent.tasks = (await call('api/recent')).tasks;
    recent.error = '';
  } catch (error) {
    recent.error = `Waits and runs cannot be read: ${error.message}`;
  }
}

// Counts by task, of all tasks that wait, have a worker, are paused or ran lately.
function countTasks(snapshot) {
  const tasks = new Map();
  const countsOf = (name) => tasks.get(name) ?? tasks.set(name, { waiting: 0, groups: 0, workers: 0, free: 0 }).get(name);
  for (const queue of snapshot.queues) {
    const counts = countsOf(queue.task);
    counts.waiting += queue.waiting;
    counts.groups += queue.groups;
  }
  for (const worker of snapshot.members.filter((member) => member.role === 'worker')) {
    // A worker that names no task takes jobs without one.
    for (const task of worker.tasks.length > 0 ? worker.tasks : ['']) {
      const counts = countsOf(task);
      counts.workers += 1;
      counts.free += worker.paused ? 0 : worker.free;
    }
  }
  for (const name of [...snapshot.paused, ...Object.keys(recent.tasks)]) if (name !== ALL) countsOf(name);
  return tasks;
}

function taskRow(name, counts, snapshot) {
  const times = recent.tasks[name];
  const paused = snapshot.paused.includes(name);
  const oldest = counts.waiting > 0 && !isMissing(times?.oldest_waiting_ms) ? formatDuration(times.oldest_waiting_ms) : NONE;
  return [
    link('jobs', { state: 'waiting', task: name }, taskLabel(name)), formatNumber(counts.waiting), formatNumber(counts.groups), oldest,
    formatNumber(counts.workers), formatNumber(counts.free), percentiles(times?.wait), percentiles(times?.run),
    taskMark(counts, paused), paused ? resumeTask(name) : pauseTask(name),
  ];
}

function percentiles(histogram) {
  if (!histogram?.count) return NONE;
  return [histogram.p50_ms, histogram.p95_ms, histogram.p99_ms].map(formatDuration).join(' / ');
}

function taskMark(counts, paused) {
  if (paused) return h('span', { class: 'text-warn' }, 'paused');
  return counts.waiting > 0 && counts.workers === 0 ? h('span', { class: 'text-bad' }, 'no worker') : '';
}

const resumeTask = (name) => actionButton('Resume', { action: 'resume', task: name }, () => `${taskLabel(name)} is resumed.`);

function pauseTask(name) {
  const question = name ? `Pause ${name}? No job of it starts until it is resumed.` : 'Pause jobs without a task? None of them starts until they are resumed.';
  return actionButton('Pause', { action: 'pause', task: name }, () => `${taskLabel(name)} is paused.`, { question });
}

const resumeAll = () => actionButton('Resume all', { action: 'resume', task: null }, () => 'All tasks are resumed.');

function pauseAll() {
  const question = 'Pause all tasks? No job starts until they are resumed.';
  return actionButton('Pause all', { action: 'pause', task: null }, () => 'All tasks are paused.', { question, danger: true });
}

export const tasks = { title: 'Tasks', key: 't', live: true, draw };
