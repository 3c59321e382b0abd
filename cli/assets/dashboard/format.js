// Numbers, times, sizes and addresses as text.

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const SIZES = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
const TIMES = [[86400000, 'd'], [3600000, 'h'], [60000, 'min'], [1000, 's'], [1, 'ms']];

// Shown where there is no value.
export const NONE = '–';

export const isMissing = (value) => value === null || value === undefined;

export const formatNumber = (value) => (isMissing(value) ? NONE : number.format(value));

export const plural = (count, noun) => `${formatNumber(count)} ${noun}${count === 1 ? '' : 's'}`;

export const formatTime = (ms) => (ms ? `${new Date(ms).toISOString().replace('T', ' ').slice(0, 19)} UTC` : NONE);

export const formatClock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);

export function formatDuration(ms) {
  const [size, unit] = TIMES.find(([size]) => ms >= size) ?? TIMES.at(-1);
  return `${number.format(ms / size)} ${unit}`;
}

export function formatBytes(count) {
  let at = 0;
  for (; count >= 1024 && at < SIZES.length - 1; at += 1) count /= 1024;
  return `${number.format(count)} ${SIZES[at]}`;
}

// A job may have no task.
export const taskLabel = (task) => task || '(no task)';

// `?name=value&…` of the parameters that are set, or nothing.
export function queryString(params) {
  const set = Object.entries(params ?? {}).filter(([, value]) => value !== '' && !isMissing(value));
  return set.length > 0 ? `?${new URLSearchParams(set)}` : '';
}
