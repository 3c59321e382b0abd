// The state of the connection in the head of the page, short announcements in its place, and the error above the content.

import { byId } from './dom.js';
import { state } from './state.js';

const ANNOUNCEMENT_MS = 4000;
let announcement;

export function showConnection() {
  const isLive = Boolean(state.overview?.snapshot);
  byId('live').className = isLive ? 'on' : 'off';
  byId('live').textContent = isLive ? 'live' : state.overview?.error ? 'Redis is away' : 'connecting';
}

// A screen reader reads the text, because the element has the role `status`.
export function announce(text) {
  clearTimeout(announcement);
  byId('live').textContent = text;
  announcement = setTimeout(showConnection, ANNOUNCEMENT_MS);
}

export function showError(text) {
  byId('error').hidden = !text;
  byId('error').textContent = text;
}

export const clearError = () => showError('');
