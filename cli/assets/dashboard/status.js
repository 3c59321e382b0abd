// The state of the connection in the head of the page, short announcements in its place, and the error above the content.

import { byId } from './dom.js';
import { state } from './state.js';

const ANNOUNCEMENT_MS = 4000;
// Of the last announcement, while it is shown.
let announcement = null;
// The error of the last action stays until the next action or page; that of reading, until reading succeeds.
const errors = { action: '', reading: '' };

export function showConnection() {
  const isLive = Boolean(state.overview?.snapshot);
  byId('live').className = isLive ? 'on' : 'off';
  if (announcement === null) byId('live').textContent = isLive ? 'live' : state.overview?.error ? 'Redis is away' : 'connecting';
}

// A screen reader reads the text, because the element has the role `status`.
export function announce(text) {
  clearTimeout(announcement);
  byId('live').textContent = text;
  announcement = setTimeout(endAnnouncement, ANNOUNCEMENT_MS);
}

function endAnnouncement() {
  announcement = null;
  showConnection();
}

// `source`: `action` or `reading`. No text: the error is over.
export function showError(source, text) {
  errors[source] = text;
  const shown = [errors.action, errors.reading].filter(Boolean).join(' ');
  byId('error').hidden = !shown;
  byId('error').textContent = shown;
}
