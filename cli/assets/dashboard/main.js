// The start of the dashboard: its pages, its navigation and what refreshes it.

import { HISTORY_MS } from './api.js';
import { byId, h, pageAddress } from './dom.js';
import { onKey, showKeys } from './keyboard.js';
import { connect, onVisibilityChange } from './live.js';
import { failed } from './pages/failed.js';
import { job } from './pages/job.js';
import { jobs } from './pages/jobs.js';
import { limits } from './pages/limits.js';
import { overview } from './pages/overview.js';
import { redis } from './pages/redis.js';
import { schedules } from './pages/schedules.js';
import { tasks } from './pages/tasks.js';
import { workers } from './pages/workers.js';
import { allPages, openPage, refreshPage, setPages, shownPage } from './router.js';
import { applyStoredTheme, toggleTheme } from './theme.js';

// How often a page that is not live is read again.
const REFRESH_MS = 5000;

function drawNavigation() {
  const items = allPages().filter(([, page]) => !page.hidden);
  const links = items.map(([name, page]) => h('a', { href: pageAddress(name), 'data-name': name, title: `g ${page.key}` }, page.title));
  byId('nav').append(...links);
}

function refreshVisiblePage() {
  if (!document.hidden && shownPage() && !shownPage().live) refreshPage();
}

function drawVisibleHistory() {
  if (!document.hidden) shownPage()?.drawHistory?.();
}

function listen() {
  byId('theme').addEventListener('click', toggleTheme);
  byId('keys').addEventListener('click', showKeys);
  addEventListener('hashchange', openPage);
  addEventListener('keydown', onKey);
  document.addEventListener('visibilitychange', onVisibilityChange);
  setInterval(refreshVisiblePage, REFRESH_MS);
  setInterval(drawVisibleHistory, HISTORY_MS);
}

applyStoredTheme();
setPages({ overview, tasks, workers, jobs, failed, schedules, limits, redis, job });
drawNavigation();
listen();
connect();
openPage();
