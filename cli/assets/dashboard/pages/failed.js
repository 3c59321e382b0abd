// Failed jobs by error, which are retried and deleted together.

import { actionButton } from '../actions.js';
import { call } from '../api.js';
import { h, jobLink, link, relativeTime, table } from '../dom.js';
import { formatNumber, plural, taskLabel } from '../format.js';

const COLUMNS = ['>Jobs', 'Reason', 'Error', 'Tasks', 'Last', 'Newest job', ''];

async function draw() {
  const page = await call('api/failed');
  const more = `The newest ${plural(page.examined, 'job')} were looked at; there are more. Actions concern all with the same error.`;
  return [
    h('h1', {}, 'Failed jobs'),
    table(COLUMNS, page.groups.map(groupRow), 'No job has failed.'),
    page.more && h('p', { class: 'dim' }, more),
    h('p', {}, link('jobs', { state: 'failed' }, 'List them one by one')),
  ];
}

function groupRow(group) {
  return [
    formatNumber(group.count), group.reason, group.error || '', group.tasks.map(taskLabel).join(', '), relativeTime(group.last_at),
    jobLink(group.example), [retryButton(group), ' ', deleteButton(group)],
  ];
}

function retryButton({ reason, fingerprint }) {
  const question = 'Retry all failed jobs with this error?';
  return actionButton('Retry', { action: 'retry_failed', reason, fingerprint }, (count) => `${plural(count, 'job')} retried.`, { question });
}

function deleteButton({ reason, fingerprint }) {
  const options = { question: 'Delete all failed jobs with this error? They cannot be restored.', danger: true };
  return actionButton('Delete', { action: 'delete_failed', reason, fingerprint }, (count) => `${plural(count, 'job')} deleted.`, options);
}

export const failed = { title: 'Failed', key: 'f', draw };
