// Charts over time, drawn by uPlot, which index.html loads as a global.
//
// A chart is `{ title, series: [{ label, field }, …], format, minTop, gapMs }`: `format` makes text of a value, `minTop` is the least upper end of
// the vertical axis, and points further apart than `gapMs` are not joined, because nothing was recorded between them.

import { h } from './dom.js';
import { NONE, formatClock, formatNumber, isMissing } from './format.js';

const HEIGHT = 180;
// The padding of both sides of a chart.
const PADDING = 16;
const plots = new Map();

export const isDrawn = (chart) => plots.has(chart.title);

// Forgets the charts of a page that is left or drawn anew.
export const clearCharts = () => plots.clear();

export function drawChart(chart, points) {
  const box = h('div', { class: 'chart', role: 'img', 'aria-label': chart.title }, h('h2', {}, chart.title));
  const plot = new uPlot(chartOptions(chart), columnsOf(chart, points), box);
  const fit = () => box.clientWidth > 40 && plot.setSize({ width: box.clientWidth - PADDING, height: HEIGHT });
  new ResizeObserver(fit).observe(box);
  plots.set(chart.title, plot);
  return box;
}

// Keeps the chart: a new one would lose what the pointer shows.
export function updateChart(chart, points) {
  plots.get(chart.title)?.setData(columnsOf(chart, points));
}

function chartOptions({ series, format = formatNumber, minTop = 1 }) {
  const colors = themeColors();
  const axis = { stroke: colors.text, grid: { stroke: colors.line, width: 1 }, ticks: { stroke: colors.line, width: 1 } };
  const value = (_, value) => (isMissing(value) ? NONE : format(value));
  const lines = series.map(({ label }, at) => ({ label, stroke: colors.series[at], width: 1.5, value, points: { show: false } }));
  return {
    width: 420,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high, minTop) * 1.05] } },
    axes: [
      { ...axis, values: (_, times) => times.map(formatClock) },
      { ...axis, size: 64, values: (_, values) => values.map((value) => format(value)) },
    ],
    series: [{ label: 'time', value: (_, time) => (time ? formatClock(time) : NONE) }, ...lines],
  };
}

function themeColors() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  return { text: color('--dim'), line: color('--line'), series: ['--link', '--ok', '--bad', '--warn'].map(color) };
}

// The times in seconds, then the values of each series, as uPlot takes them. A point without values breaks the lines at a gap.
function columnsOf({ series, gapMs }, all) {
  const isGap = (at) => at > 0 && all[at].at - all[at - 1].at > gapMs;
  const points = all.flatMap((point, at) => (isGap(at) ? [{ at: point.at - 1 }, point] : [point]));
  return [points.map((point) => point.at / 1000), ...series.map(({ field }) => points.map((point) => point[field] ?? null))];
}
