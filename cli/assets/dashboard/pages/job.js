// One job: its options, timeline, error, payload and flow.

import { actionButton } from '../actions.js';
import { call } from '../api.js';
import { definitions, h, jobLink, link, relativeTime, stateLabel, table } from '../dom.js';
import { formatTime, isMissing, plural, queryString, taskLabel } from '../format.js';
import { state } from '../state.js';

async function draw({ id, payload }) {
  const { job, content, flow } = await call(`api/job${queryString({ id, payload })}`);
  return [
    h('h1', {}, id), facts(job), h('div', { class: 'more' }, actions(job, id)), timeline(job),
    section('Error', [job.error, job.traceback].filter(Boolean).join('\n\n')),
    section('Progress', job.progress), section('Checkpoint', job.checkpoint),
    content ? [section('Payload', payloadText(content.payload)), section('Result', payloadText(content.result))] : payloadLink(id),
    flow && flowTable(flow),
  ];
}

function facts(job) {
  const values = {
    State: stateLabel(job.state), Task: taskLabel(job.task), Attempt: `${job.attempt} of ${job.retries + 1}`, Crashes: job.crashes || '',
    Priority: job.priority || '', Group: job.group, Resource: job.resource, Limits: job.limits.join(', '), Worker: job.holder,
    'Fencing token': job.fence || '',
    ...Object.fromEntries(Object.entries(job.headers).map(([name, value]) => [`Header ${name}`, value])),
  };
  return definitions(Object.entries(values).filter(([, value]) => value !== ''));
}

function actions(job, id) {
  const question = `Delete the job ${id}? If a worker runs it, it stops.`;
  return [
    job.state === 'failed' && actionButton('Retry', { action: 'retry', id }, () => 'The job waits again.'), ' ',
    job.state !== 'completed' && actionButton('Delete', { action: 'delete', id }, () => 'The job is deleted.', { question, danger: true }),
  ];
}

function timeline(job) {
  const events = jobEvents(job).filter(([time]) => time).sort(([a], [b]) => a - b);
  if (events.length === 0) return null;
  const item = ([time, text]) => h('li', {}, h('span', { class: 'dim' }, formatTime(time), ' (', relativeTime(time), ') '), text);
  return [h('h2', {}, 'Timeline'), h('ol', { class: 'timeline' }, events.map(item))];
}

// Times and what happened then; the time is missing for what did not happen.
function jobEvents(job) {
  return [
    [job.due_at, 'is due'],
    [job.assigned_at, `attempt ${job.attempt} was assigned to ${job.holder || 'a worker'}, fencing token ${job.fence}`],
    ...(job.failed_attempts ?? []).flatMap(attemptEvents),
    ...(job.log ?? []).map((line) => [line.time, `log: ${line.text}`]),
    [job.failed_at, `failed: ${job.reason}`],
    [job.completed_at, 'was completed'],
  ];
}

function attemptEvents(attempt) {
  return [
    [attempt.assigned_at, `was assigned to ${attempt.holder}, fencing token ${attempt.fence}`],
    [attempt.failed_at, `attempt failed: ${attempt.reason}: ${attempt.error}`],
  ];
}

function section(title, value) {
  if (isMissing(value) || value === '') return null;
  return [h('h2', {}, title), h('pre', {}, typeof value === 'string' ? value : JSON.stringify(value, null, 2))];
}

// Payloads are shown as JSON if they are JSON.
function payloadText(value) {
  if (!value) return value;
  return 'json' in value ? JSON.stringify(value.json, null, 2) : `${value.text}\n(${plural(value.bytes, 'byte')})`;
}

function payloadLink(id) {
  const isAllowed = state.overview?.payloads;
  const none = h('span', { class: 'dim' }, 'This dashboard shows no payloads.');
  return h('div', { class: 'more' }, isAllowed ? link('job', { id, payload: true }, 'Show payload and result') : none);
}

function flowTable(flow) {
  const rows = flow.jobs.map((job) => [jobLink(job.id), stateLabel(job.state), (job.after ?? []).join(', ')]);
  return [h('h2', {}, `Flow ${flow.id} of ${plural(flow.number, 'job')}`), table(['Job', 'State', 'After'], rows, '')];
}

export const job = { title: 'Job', hidden: true, draw };
