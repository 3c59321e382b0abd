// Workers: what they run, and draining and slots.

import { actionButton, mayWrite, runAction } from '../actions.js';
import { closeDialog, dialogButtons, showDialog } from '../dialog.js';
import { h, link, table } from '../dom.js';
import { formatDuration, formatNumber, taskLabel } from '../format.js';
import { state } from '../state.js';

const COLUMNS = ['Worker', 'Version', 'Tasks', '>Slots', '>Active', '>Free', '>Lease left', '', ''];
const MAX_SLOTS = 1000000;

function draw() {
  const { snapshot } = state.overview;
  const rows = snapshot.members.filter((member) => member.role === 'worker').map(workerRow);
  return [
    h('h1', {}, 'Workers'),
    table(COLUMNS, rows, 'No worker is there: jobs wait until one joins.'),
    snapshot.more_members && h('p', { class: 'dim' }, 'There are more members than are shown.'),
  ];
}

function workerRow(worker) {
  const title = workerTitle(worker);
  return [
    h('span', { title: worker.incarnation }, title), `${worker.language} ${worker.version}`, worker.tasks.map(taskLabel).join(', '),
    worker.slots ? formatNumber(worker.slots) : 'no limit',
    link('jobs', { state: 'active', worker: worker.incarnation }, formatNumber(worker.active)), formatNumber(worker.free),
    formatDuration(worker.lease_left_ms),
    worker.paused ? h('span', { class: 'text-warn' }, worker.active > 0 ? 'draining' : 'drained') : '',
    [worker.paused ? resumeButton(worker, title) : drainButton(worker, title), ' ', slotsButton(worker, title)],
  ];
}

function workerTitle(worker) {
  const process = `${worker.host}:${worker.pid}`;
  return worker.name ? `${worker.name} (${process})` : process;
}

function resumeButton({ incarnation }, title) {
  return actionButton('Resume', { action: 'resume_worker', worker: incarnation }, () => `${title} is resumed.`);
}

function drainButton({ incarnation }, title) {
  const question = `Drain ${title}? It ends its jobs and is assigned no more.`;
  return actionButton('Drain', { action: 'pause_worker', worker: incarnation }, () => `${title} is assigned no more jobs.`, { question });
}

function slotsButton(worker, title) {
  return mayWrite() && h('button', { type: 'button', onclick: () => askSlots(worker, title) }, 'Slots');
}

function askSlots(worker, title) {
  const input = h('input', { type: 'number', min: 1, max: MAX_SLOTS, value: worker.slots || 1, required: true, 'aria-label': 'Slots' });
  const submit = (event) => {
    event.preventDefault();
    closeDialog();
    const action = { action: 'set_slots', worker: worker.incarnation, slots: Number(input.value) };
    runAction(action, () => `${title} has ${input.value} slots.`);
  };
  const cancel = h('button', { type: 'button', onclick: closeDialog }, 'Cancel');
  showDialog(h('form', { onsubmit: submit }, h('label', {}, `Slots of ${title}`, input), dialogButtons(cancel, h('button', {}, 'Set'))));
}

export const workers = { title: 'Workers', key: 'w', live: true, draw };
