// The connection: overviews come as server-sent events while the page is visible.

import { NO_ANSWER } from './api.js';
import { byId } from './dom.js';
import { openPage, refreshPage, shownName, shownPage } from './router.js';
import { state } from './state.js';
import { showConnection, showError } from './status.js';

// The number of points that the live charts show, as many as the server keeps.
const MAX_POINTS = 400;
let source = null;

export function connect() {
  source?.close();
  source = new EventSource('api/overview');
  source.addEventListener('history', (event) => (state.points = JSON.parse(event.data)));
  source.addEventListener('overview', (event) => onOverview(JSON.parse(event.data)));
  source.addEventListener('error', onDisconnect);
}

// A hidden page has no connection, so that it costs the server and Redis nothing.
export function onVisibilityChange() {
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (!source) {
    connect();
  }
}

function onOverview(overview) {
  const wasLive = state.overview?.snapshot;
  state.overview = overview;
  byId('cluster').textContent = overview.cluster;
  byId('address').textContent = overview.address;
  showConnection();
  if (overview.error) return showError('reading', overview.error.message);
  state.points = [...state.points, overview.point].slice(-MAX_POINTS);
  if (wasLive) return updatePage();
  return shownName() === null ? openPage() : refreshPage();
}

function updatePage() {
  const page = shownPage();
  if (page?.update) page.update();
  else if (page?.live) refreshPage();
}

// The browser connects again by itself.
function onDisconnect() {
  state.overview = state.overview && { ...state.overview, snapshot: null };
  showConnection();
  showError('reading', NO_ANSWER);
}
