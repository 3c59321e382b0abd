// Shows the page of the address.
//
// A page is `{ title, key, hidden, live, draw, update, drawHistory }`. `draw(params)` returns its content, or a promise of it. A page that is `live`
// shows the overview and is drawn anew with each, or changed by `update()` if it has that. `drawHistory()` follows each drawing and is repeated.
// The pages are set by main.js, because they use actions, which refresh the page.

import { clearCharts } from './charts.js';
import { isDialogOpen } from './dialog.js';
import { byId, h } from './dom.js';
import { selectRow, selectedRow } from './rows.js';
import { state } from './state.js';
import { showError } from './status.js';

let pages = {};
// The name of the page whose content is shown; null while it cannot be drawn.
let shown = null;
// Counts drawings, so that one that ends after a later one began is dropped.
let latest = 0;

export function setPages(all) {
  pages = all;
}

export const allPages = () => Object.entries(pages);

export const shownName = () => shown;

export const shownPage = () => pages[shown] ?? null;

export const openPage = () => drawPage(false);

export const refreshPage = () => drawPage(true);

async function drawPage(again) {
  const { name, params } = readAddress();
  const page = pages[name];
  const turn = (latest += 1);
  markPage(name);
  if (!again) {
    showError('action', '');
    document.title = `${page.title} – ${state.overview?.cluster ?? 'libswarm'}`;
  }
  if (page.live && !state.overview?.snapshot) return waitForOverview(page, again);
  try {
    if (page.live) clearCharts();
    const content = await page.draw(params);
    if (turn !== latest || (again && isInUse())) return;
    showContent(content, again);
    shown = name;
    page.drawHistory?.();
    if (state.overview?.snapshot) showError('reading', '');
  } catch (error) {
    if (turn === latest) showFailure(page, error, again);
  }
}

function readAddress() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const name = Object.hasOwn(pages, path) ? path : 'overview';
  return { name, params: Object.fromEntries(new URLSearchParams(search ?? '')) };
}

function markPage(name) {
  for (const item of byId('nav').children) item.toggleAttribute('aria-current', item.dataset.name === name);
}

function waitForOverview(page, again) {
  shown = null;
  if (!again) byId('main').replaceChildren(h('h1', {}, page.title), h('p', { class: 'dim' }, 'Waiting for the cluster.'));
}

// A refresh must not take away what the viewer types or is asked.
function isInUse() {
  const isTyping = byId('main').contains(document.activeElement) && /INPUT|SELECT/.test(document.activeElement.tagName);
  return isTyping || isDialogOpen();
}

function showContent(content, again) {
  const selected = selectedRow();
  byId('main').replaceChildren(...[content].flat(Infinity).filter(Boolean));
  if (again) selectRow(selected);
  else byId('main').focus();
}

function showFailure(page, error, again) {
  showError('reading', error.message);
  if (!again) byId('main').replaceChildren(h('h1', {}, page.title));
  shown = null;
}
