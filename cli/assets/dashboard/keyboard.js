// Keys, and the list of them.

import { closeDialog, dialogButtons, isDialogOpen, showDialog } from './dialog.js';
import { byId, definitions, h } from './dom.js';
import { allPages, refreshPage, shownName } from './router.js';
import { moveSelection, openSelectedRow } from './rows.js';
import { toggleTheme } from './theme.js';

// `g` waits for the key of a page.
let afterG = false;

const KEYS = {
  g: () => (afterG = true),
  j: () => moveSelection(1),
  k: () => moveSelection(-1),
  '?': showKeys,
  '/': filterJobs,
  r: refreshPage,
  d: toggleTheme,
  Enter: openSelectedRow,
};

export function onKey(event) {
  const isTyping = /INPUT|SELECT|TEXTAREA/.test(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey || isDialogOpen() || isTyping) return;
  if (afterG) {
    afterG = false;
    openByKey(event.key);
  } else {
    KEYS[event.key]?.(event);
  }
}

function openByKey(key) {
  const found = allPages().find(([, page]) => page.key === key);
  if (found) location.hash = `#/${found[0]}`;
}

function filterJobs(event) {
  // The key must not be typed into the field that is focused.
  event.preventDefault();
  if (shownName() === 'jobs') byId('main').querySelector('input[name=id]').focus();
  else location.hash = '#/jobs';
}

export function showKeys() {
  const pageKeys = allPages().filter(([, page]) => page.key).map(([, page]) => [`g ${page.key}`, page.title]);
  const keys = [
    ...pageKeys, ['j  k', 'Next, previous row'], ['Enter', 'Open the row'], ['/', 'Filter jobs'], ['r', 'Refresh'], ['d', 'Light or dark'],
    ['?', 'This list'],
  ];
  const close = h('button', { type: 'button', onclick: closeDialog }, 'Close');
  showDialog(definitions(keys.map(([key, text]) => [h('kbd', {}, key), text])), dialogButtons(close));
}
