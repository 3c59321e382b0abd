// Actions of viewers, which change the cluster.

import { sendAction } from './api.js';
import { confirmAction } from './dialog.js';
import { h } from './dom.js';
import { refreshPage } from './router.js';
import { state } from './state.js';
import { announce, showError } from './status.js';

// Whether the server takes actions (`swarm dashboard --write`).
export const mayWrite = () => Boolean(state.overview?.write);

// Runs an action and announces the text that `done` makes of the number of what changed.
export async function runAction(action, done) {
  showError('action', '');
  try {
    announce(done(await sendAction(action)));
  } catch (error) {
    showError('action', error.message);
  }
  await refreshPage();
}

// A button for an action, which asks the `question` first if there is one; null if the dashboard only reads.
export function actionButton(label, action, done, { question, danger } = {}) {
  if (!mayWrite()) return null;
  const run = async () => {
    if (!question || (await confirmAction(question, label, danger))) await runAction(action, done);
  };
  return h('button', { type: 'button', class: danger ? 'bad' : '', onclick: run }, label);
}
