// The selected row of the tables on the page.

import { byId } from './dom.js';

const allRows = () => [...byId('main').querySelectorAll('tbody tr')];

// The position of the selected row, or -1.
export const selectedRow = () => allRows().findIndex((row) => row.ariaSelected === 'true');

// Selects the row at a position and returns it; -1 selects none.
export function selectRow(position) {
  const rows = allRows();
  rows.forEach((row, at) => (row.ariaSelected = String(at === position)));
  return rows[position];
}

export function moveSelection(by) {
  const position = Math.min(allRows().length - 1, selectedRow() + by);
  selectRow(Math.max(0, position))?.scrollIntoView({ block: 'nearest' });
}

export const openSelectedRow = () => byId('main').querySelector('tbody tr[aria-selected="true"] a')?.click();
