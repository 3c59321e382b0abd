// Elements, links and tables.

import { NONE, formatDuration, formatTime, isMissing, queryString } from './format.js';

const LONG_TEXT = 40;

export const byId = (id) => document.getElementById(id);

// An element. Children and attributes are set as text and never parsed, because they come from jobs. Children that are missing or false are left out.
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProperty(node, name, value);
  node.append(...children.flat(Infinity).filter((child) => !isMissing(child) && child !== false));
  return node;
}

function setProperty(node, name, value) {
  if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  else if (name === 'class') node.className = value;
  else if (value === true) node.setAttribute(name, '');
  else if (value !== false && !isMissing(value)) node.setAttribute(name, value);
}

export const pageAddress = (path, params) => `#/${path}${queryString(params)}`;

export const link = (path, params, ...text) => h('a', { href: pageAddress(path, params) }, ...text);

export const jobLink = (id) => link('job', { id }, id);

export const stateLabel = (state) => h('span', { class: `state ${state}` }, state);

// A time by its distance from now; the pointer shows the time itself.
export function relativeTime(ms) {
  if (!ms) return NONE;
  const passed = Date.now() - ms;
  const text = passed < 0 ? `in ${formatDuration(-passed)}` : `${formatDuration(passed)} ago`;
  return h('time', { title: formatTime(ms), datetime: new Date(ms).toISOString() }, text);
}

// A list of names and values.
export const definitions = (entries) => h('dl', {}, entries.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));

// A table, or the text `empty` if there are no rows. Columns whose name starts with `>` have numbers.
export function table(columns, rows, empty) {
  if (rows.length === 0) return h('p', { class: 'dim' }, empty);
  const isNumeric = columns.map((column) => column.startsWith('>'));
  const head = columns.map((column, at) => h('th', { scope: 'col', class: isNumeric[at] ? 'number' : '' }, column.replace('>', '')));
  const body = rows.map((row) => h('tr', {}, row.map((content, at) => cell(content, isNumeric[at]))));
  return h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, body)));
}

function cell(content, numeric) {
  const isLong = typeof content === 'string' && content.length > LONG_TEXT;
  return h('td', { class: numeric ? 'number' : isLong ? 'long' : '' }, content);
}
