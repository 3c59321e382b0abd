// Calls of the server of the dashboard.

// How often figures of the last hour are read. They change by the minute.
export const HISTORY_MS = 15000;

export const NO_ANSWER = 'The dashboard does not answer. Is `swarm dashboard` still running?';

// The document of an answer. An error of the server has a message for the viewer.
export async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(NO_ANSWER);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error?.message ?? `The dashboard answered ${answer.status}.`);
  return body;
}

// Changes the cluster; the number of what changed.
export async function sendAction(action) {
  const headers = { 'content-type': 'application/json' };
  const { changed } = await call('api/action', { method: 'POST', headers, body: JSON.stringify(action) });
  return changed;
}
