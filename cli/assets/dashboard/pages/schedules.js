// Schedules, in pages.

import { actionButton } from '../actions.js';
import { call } from '../api.js';
import { h, jobLink, link, relativeTime, table } from '../dom.js';
import { formatDuration, formatNumber, queryString, taskLabel } from '../format.js';

const COLUMNS = ['Schedule', 'Task', 'When', 'Next', 'Last', 'Last job', '>Added', '>Skipped', '', ''];

async function draw(params) {
  const page = await call(`api/schedules${queryString(params)}`);
  const next = page.next && link('schedules', { after: page.next }, 'Next page');
  return [
    h('h1', {}, 'Schedules'),
    table(COLUMNS, page.schedules.map(scheduleRow), 'There is no schedule.'),
    h('div', { class: 'more' }, next),
  ];
}

function scheduleRow(schedule) {
  return [
    schedule.id, taskLabel(schedule.task), timing(schedule), relativeTime(schedule.next_at), relativeTime(schedule.last_at),
    schedule.last_job ? jobLink(schedule.last_job) : '', formatNumber(schedule.added), formatNumber(schedule.skipped), mark(schedule),
    [runButton(schedule), ' ', schedule.paused ? resumeButton(schedule) : pauseButton(schedule), ' ', removeButton(schedule)],
  ];
}

function timing(schedule) {
  if (schedule.cron) return `${schedule.cron} (${schedule.tz})`;
  return schedule.every ? `every ${formatDuration(schedule.every)}` : `${formatDuration(schedule.after_end)} after the end`;
}

function mark(schedule) {
  if (schedule.ended) return 'ended';
  return schedule.paused ? h('span', { class: 'text-warn' }, 'paused') : '';
}

function runButton({ id }) {
  const done = (added) => (added ? 'A job was added.' : 'No job was added: the job before has not finished, or another job has its unique key.');
  return actionButton('Run now', { action: 'run_schedule', id }, done, { question: `Run ${id} now?` });
}

const resumeButton = ({ id }) => actionButton('Resume', { action: 'resume_schedule', id }, () => `${id} is resumed.`);

const pauseButton = ({ id }) => actionButton('Pause', { action: 'pause_schedule', id }, () => `${id} is paused.`);

function removeButton({ id }) {
  const options = { question: `Remove the schedule ${id}? It cannot be restored.`, danger: true };
  return actionButton('Remove', { action: 'remove_schedule', id }, () => `${id} is removed.`, options);
}

export const schedules = { title: 'Schedules', key: 's', draw };
