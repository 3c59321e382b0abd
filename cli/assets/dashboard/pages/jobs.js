// Jobs of one state, filtered, in pages.

import { call } from '../api.js';
import { h, jobLink, link, pageAddress, relativeTime, stateLabel, table } from '../dom.js';
import { formatNumber, plural, queryString, taskLabel } from '../format.js';

const FILTERS = { task: 'Task', group: 'Group', resource: 'Resource', id: 'Part of the id', header: 'Header name=value', worker: 'Worker' };
const STATES = ['waiting', 'active', 'delayed', 'blocked', 'failed', 'completed'];
const COLUMNS = ['Job', 'Task', 'State', '>Priority', 'Group, resource', 'Attempt', 'Since, due', 'Error'];

async function draw(params) {
  const wanted = { state: 'waiting', ...params };
  const page = await call(`api/jobs${queryString(wanted)}`);
  const examined = plural(page.examined, 'job');
  const none = page.examined === 0 ? `No job is ${wanted.state}.` : `None of the ${examined} looked at matches.`;
  const more = [...pageLinks(page, wanted), h('span', { class: 'dim' }, `${examined} looked at`)];
  return [h('h1', {}, 'Jobs'), filterForm(wanted), table(COLUMNS, page.jobs.map(jobRow), none), h('div', { class: 'more' }, more)];
}

// The address has the filter, so that it can be kept and shared.
function filterForm(wanted) {
  const states = STATES.map((name) => h('option', { value: name, selected: name === wanted.state }, name));
  const select = h('select', { name: 'state' }, states);
  const fields = Object.entries(FILTERS).map(([name, label]) => h('label', {}, label, h('input', { name, value: wanted[name] ?? '' })));
  const submit = (event) => {
    event.preventDefault();
    location.hash = pageAddress('jobs', Object.fromEntries(new FormData(event.target)));
  };
  const change = (event) => event.target === select && form.requestSubmit();
  const form = h('form', { class: 'filter', onsubmit: submit, onchange: change }, h('label', {}, 'State', select), fields, h('button', {}, 'Show'));
  return form;
}

function jobRow(job) {
  return [
    jobLink(job.id), taskLabel(job.task), stateLabel(job.state), formatNumber(job.priority), job.group || job.resource || '',
    `${job.attempt} of ${job.retries + 1}`, relativeTime(job.failed_at ?? job.completed_at ?? job.assigned_at ?? job.due_at),
    job.error?.split('\n')[0] ?? '',
  ];
}

function pageLinks(page, wanted) {
  const isFiltered = Object.keys(FILTERS).some((name) => wanted[name]);
  return [
    wanted.after && link('jobs', { ...wanted, after: '' }, 'First page'),
    page.next && link('jobs', { ...wanted, after: page.next }, isFiltered ? 'Look at more' : 'Next page'),
  ];
}

export const jobs = { title: 'Jobs', key: 'j', draw };
