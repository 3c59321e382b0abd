// Light or dark colors: those of the system until the viewer chooses.

import { clearCharts } from './charts.js';
import { refreshPage } from './router.js';

const root = document.documentElement;
const STORED = 'theme';

export function applyStoredTheme() {
  const stored = localStorage.getItem(STORED);
  if (stored) root.dataset.theme = stored;
}

export function toggleTheme() {
  const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
  localStorage.setItem(STORED, root.dataset.theme);
  // Charts keep the colors that they were drawn with.
  clearCharts();
  refreshPage();
}
