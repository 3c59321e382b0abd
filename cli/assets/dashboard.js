// The dashboard. The overview comes as server-sent events; other pages are read when they are opened and every few seconds while they are visible.

const REFRESH_MS = 5000;
// The longest time between two figures that a line joins.
const GAP_MS = 5000;
const MINUTE_MS = 61000;
// How often the figures by minutes are read.
const HISTORY_MS = 15000;
const state = { overview: null, points: [], source: null, route: null, recent: {}, recentAt: 0, recentError: '', refresh: 0, pending: '' };
const $ = (id) => document.getElementById(id);

// An element. Text is always set as text, never parsed.
function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'class') node.className = value;
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const show = (value) => (value === null || value === undefined ? '–' : number.format(value));
const absolute = (ms) => (ms ? new Date(ms).toISOString().replace('T', ' ').slice(0, 19) + ' UTC' : '–');

function duration(ms) {
  const units = [[86400000, 'd'], [3600000, 'h'], [60000, 'min'], [1000, 's']];
  const [size, unit] = units.find(([size]) => ms >= size) ?? [1, 'ms'];
  return `${number.format(ms / size)} ${unit}`;
}

function when(ms) {
  if (!ms) return '–';
  const passed = Date.now() - ms;
  return h('time', { title: absolute(ms), datetime: new Date(ms).toISOString() }, passed < 0 ? `in ${duration(-passed)}` : `${duration(passed)} ago`);
}

function bytes(count) {
  const unit = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  for (; count >= 1024 && at < unit.length - 1; at += 1) count /= 1024;
  return `${number.format(count)} ${unit[at]}`;
}

const named = (task) => task || '(no task)';
const link = (path, params, ...text) => h('a', { href: '#/' + path + query(params) }, ...text);
const jobLink = (id) => link('job', { id }, id);

function query(params) {
  const set = Object.entries(params ?? {}).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return set.length > 0 ? '?' + new URLSearchParams(set) : '';
}

// Errors of the server say what is wrong and what to do.
async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error('The dashboard does not answer. Is `swarm dashboard` still running?');
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error?.message ?? `The dashboard answered ${answer.status}.`);
  return body;
}

function trouble(text) {
  $('trouble').hidden = !text;
  $('trouble').textContent = text ?? '';
}

function table(columns, rows, empty) {
  if (rows.length === 0) return h('p', { class: 'dim' }, empty);
  const head = columns.map((column) => h('th', { scope: 'col', class: column.startsWith('>') ? 'number' : '' }, column.replace('>', '')));
  const body = rows.map((row) => {
    const cells = row.map((cell, at) => {
      const kind = columns[at].startsWith('>') ? 'number' : typeof cell === 'string' && cell.length > 40 ? 'long' : '';
      return h('td', { class: kind }, ...[cell].flat());
    });
    return h('tr', {}, cells);
  });
  return h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, head)), h('tbody', {}, body)));
}

// Actions

function ask(text, confirm, bad) {
  const dialog = $('dialog');
  return new Promise((resolve) => {
    const done = (value) => () => {
      dialog.close();
      resolve(value);
    };
    dialog.replaceChildren(
      h('p', {}, text),
      h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: done(false) }, 'Cancel'), h('button', { type: 'button', class: bad ? 'bad' : '', onclick: done(true) }, confirm)),
    );
    dialog.oncancel = done(false);
    dialog.showModal();
  });
}

async function act(action, done) {
  try {
    const { changed } = await call('api/action', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(action) });
    announce(done(changed));
  } catch (error) {
    trouble(error.message);
  }
  await open(true);
}

let announced;
function announce(text) {
  clearTimeout(announced);
  $('live').textContent = text;
  announced = setTimeout(live, 4000);
}

// A button for an action; null if the dashboard only reads.
function button(text, action, done, question, bad) {
  if (!state.overview?.write) return null;
  const run = async () => (!question || (await ask(question, text, bad))) && act(action, done);
  return h('button', { type: 'button', class: bad ? 'bad' : '', onclick: run }, text);
}

const plural = (count, noun) => `${show(count)} ${noun}${count === 1 ? '' : 's'}`;

// Charts

const charts = new Map();

function colors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of('--dim'), line: of('--line'), series: [of('--link'), of('--ok'), of('--bad'), of('--warn')] };
}

// A chart of fields of the points: {label, field}, ...
function chart(title, series, points, unit, gap = GAP_MS) {
  const box = h('div', { class: 'chart', role: 'img', 'aria-label': title }, h('h2', {}, title));
  const { text, line, series: paint } = colors();
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const values = (_, value) => (value === null || value === undefined ? '–' : unit ? unit(value) : show(value));
  const options = {
    width: 420,
    height: 180,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high, unit ? 0.001 : 1) * 1.05] } },
    axes: [{ ...axis, values: (_, all) => all.map(clock) }, { ...axis, size: 64, values: (_, all) => all.map((value) => (unit ? unit(value) : show(value))) }],
    series: [{ label: 'time', value: (_, time) => (time ? clock(time) : '–') }, ...series.map(({ label }, at) => ({ label, stroke: paint[at], width: 1.5, value: values, points: { show: false } }))],
  };
  const plot = new uPlot(options, data(series, points, gap), box);
  const fit = () => box.clientWidth > 40 && plot.setSize({ width: box.clientWidth - 16, height: 180 });
  new ResizeObserver(fit).observe(box);
  charts.set(title, { plot, series, live: points === state.points });
  return box;
}

const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);

// Times at which nobody looked are a gap.
function data(series, all, gap = GAP_MS) {
  const points = all.flatMap((point, at) => (at > 0 && point.at - all[at - 1].at > gap ? [{ at: point.at - 1 }, point] : [point]));
  return [points.map((point) => point.at / 1000), ...series.map(({ field }) => points.map((point) => point[field] ?? null))];
}

const RATES = ['Jobs per second', [{ label: 'added', field: 'added' }, { label: 'completed', field: 'completed' }, { label: 'failed', field: 'failed' }]];
const STATES = ['Jobs by state', [{ label: 'waiting', field: 'waiting' }, { label: 'active', field: 'active' }, { label: 'delayed', field: 'delayed' }, { label: 'blocked', field: 'blocked' }]];

const percentiles = (what) => ['50', '95', '99'].map((rank) => ({ label: `p${rank}`, field: what + rank }));
const WAITS = ['Wait of the last hour', percentiles('wait')];
const RUNS = ['Run of the last hour', percentiles('run')];

// Waits and runs by minutes; read again while the overview is open.
async function drawHistory() {
  let minutes;
  try {
    ({ minutes } = await call('api/history'));
  } catch (error) {
    if ($('history') && !charts.has(WAITS[0])) $('history').replaceChildren(h('p', { class: 'text-bad' }, error.message));
    return;
  }
  if (!$('history')) return;
  if (!charts.has(WAITS[0])) {
    $('history').replaceChildren(chart(...WAITS, minutes, duration, MINUTE_MS), chart(...RUNS, minutes, duration, MINUTE_MS));
  } else {
    for (const [title, series] of [WAITS, RUNS]) charts.get(title).plot.setData(data(series, minutes, MINUTE_MS));
  }
}

// Pages. Each returns the content for parameters; `live` ones are drawn anew with each overview.

function overviewCards() {
  const { snapshot } = state.overview;
  const { stats } = snapshot;
  const card = (name, value, path, params) => h(path ? 'a' : 'div', { class: 'card', href: path && '#/' + path + query(params) }, h('b', {}, show(value)), h('span', {}, name));
  const cards = [
    ...['waiting', 'active', 'delayed', 'blocked'].map((name) => card(name, stats[name], 'jobs', { state: name })),
    card('failed', stats.failed, 'failed'),
    card('workers', snapshot.members.filter((member) => member.role === 'worker').length, 'workers'),
    card('completed in all', stats.completed),
    card('retries in all', stats.retries),
    card('crashes in all', stats.crashes),
    stats.damaged > 0 && card('damaged', stats.damaged, 'redis'),
  ];
  const first = snapshot.first_waiting ? h('p', {}, 'First to be assigned: ', jobLink(snapshot.first_waiting)) : null;
  return h('div', { id: 'cards' }, h('div', { class: 'cards' }, cards), first);
}

function overviewPage() {
  const live = h('div', { class: 'charts' }, chart(...RATES, state.points), chart(...STATES, state.points));
  return [h('h1', {}, 'Overview'), overviewCards(), live, h('div', { class: 'charts', id: 'history' })];
}

// Keeps the charts: they would lose what the pointer shows.
function updateOverview() {
  for (const { plot, series, live } of charts.values()) if (live) plot.setData(data(series, state.points));
  const cards = overviewCards();
  if ($('cards').textContent !== cards.textContent) $('cards').replaceWith(cards);
}

// The percentiles of a histogram.
const ranks = (times) => (times?.count ? [times.p50_ms, times.p95_ms, times.p99_ms].map(duration).join(' / ') : '–');

// Waits and runs by task; read again while the page is open.
async function readRecent() {
  if (Date.now() - state.recentAt < HISTORY_MS) return;
  state.recentAt = Date.now();
  try {
    state.recent = (await call('api/recent')).tasks;
    state.recentError = '';
  } catch (error) {
    state.recentError = `Waits and runs cannot be read: ${error.message}`;
  }
}

function tasksPage() {
  readRecent();
  const { snapshot } = state.overview;
  const tasks = new Map();
  const of = (name) => tasks.get(name) ?? tasks.set(name, { waiting: 0, groups: 0, workers: 0, free: 0 }).get(name);
  for (const queue of snapshot.queues) {
    of(queue.task).waiting += queue.waiting;
    of(queue.task).groups += queue.groups;
  }
  for (const member of snapshot.members.filter((member) => member.role === 'worker')) {
    for (const task of member.tasks.length > 0 ? member.tasks : ['']) {
      of(task).workers += 1;
      of(task).free += member.paused ? 0 : member.free;
    }
  }
  for (const task of [...snapshot.paused, ...Object.keys(state.recent)]) if (task !== '*') of(task);
  const rows = [...tasks].sort(([a], [b]) => a.localeCompare(b)).map(([name, task]) => {
    const paused = snapshot.paused.includes(name);
    const times = state.recent[name];
    const age = task.waiting > 0 && times?.oldest_waiting_ms != null ? duration(times.oldest_waiting_ms) : '–';
    const change = paused
      ? button('Resume', { action: 'resume', task: name }, () => `${named(name)} is resumed.`)
      : name && button('Pause', { action: 'pause', task: name }, () => `${named(name)} is paused.`, `Pause ${named(name)}? No job of it starts until it is resumed.`);
    const mark = paused ? h('span', { class: 'text-warn' }, 'paused') : task.waiting > 0 && task.workers === 0 ? h('span', { class: 'text-bad' }, 'no worker') : '';
    return [link('jobs', { state: 'waiting', task: name }, named(name)), show(task.waiting), show(task.groups), age, show(task.workers), show(task.free), ranks(times?.wait), ranks(times?.run), mark, change || ''];
  });
  const all = snapshot.paused.includes('*');
  const everything = all
    ? button('Resume all', { action: 'resume', task: null }, () => 'All tasks are resumed.')
    : button('Pause all', { action: 'pause', task: null }, () => 'All tasks are paused.', 'Pause all tasks? No job starts until they are resumed.', true);
  const note = all ? h('p', { class: 'text-warn' }, 'All tasks are paused.') : null;
  const more = snapshot.more_queues ? h('p', { class: 'dim' }, 'There are more queues than are shown.') : null;
  const missing = state.recentError ? h('p', { class: 'text-bad' }, state.recentError) : null;
  const columns = ['Task', '>Waiting', '>Groups', '>Oldest', '>Workers', '>Free slots', '>Wait p50 / p95 / p99', '>Run p50 / p95 / p99', '', ''];
  return [h('h1', {}, 'Tasks'), note, missing, table(columns, rows, 'No job waits, and no worker is there.'), more, h('div', { class: 'more' }, everything)];
}

function workersPage() {
  const { snapshot } = state.overview;
  const workers = snapshot.members.filter((member) => member.role === 'worker');
  const rows = workers.map((worker) => {
    const id = worker.incarnation;
    const at = `${worker.host}:${worker.pid}`;
    const title = worker.name ? `${worker.name} (${at})` : at;
    const actions = [
      worker.paused
        ? button('Resume', { action: 'resume_worker', worker: id }, () => `${title} is resumed.`)
        : button('Drain', { action: 'pause_worker', worker: id }, () => `${title} is assigned no more jobs.`, `Drain ${title}? It ends its jobs and is assigned no more.`),
      ' ',
      state.overview.write && h('button', { type: 'button', onclick: () => setSlots(worker, title) }, 'Slots'),
    ];
    return [
      h('span', { title: id }, title), `${worker.language} ${worker.version}`, worker.tasks.map(named).join(', '), worker.slots ? show(worker.slots) : 'no limit',
      link('jobs', { state: 'active', worker: id }, show(worker.active)), show(worker.free), duration(worker.lease_left_ms),
      worker.paused ? h('span', { class: 'text-warn' }, worker.active > 0 ? 'draining' : 'drained') : '', actions,
    ];
  });
  const columns = ['Worker', 'Version', 'Tasks', '>Slots', '>Active', '>Free', '>Lease left', '', ''];
  const more = snapshot.more_members ? h('p', { class: 'dim' }, 'There are more members than are shown.') : null;
  return [h('h1', {}, 'Workers'), table(columns, rows, 'No worker is there: jobs wait until one joins.'), more];
}

async function setSlots(worker, title) {
  const dialog = $('dialog');
  const input = h('input', { type: 'number', min: 1, max: 1000000, value: worker.slots || 1, required: true, 'aria-label': 'Slots' });
  const submit = (event) => {
    event.preventDefault();
    dialog.close();
    act({ action: 'set_slots', worker: worker.incarnation, slots: Number(input.value) }, () => `${title} has ${input.value} slots.`);
  };
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  dialog.replaceChildren(h('form', { onsubmit: submit }, h('label', {}, `Slots of ${title}`, input), h('div', { class: 'buttons' }, cancel, h('button', {}, 'Set'))));
  dialog.showModal();
}

const FILTERS = { task: 'Task', group: 'Group', resource: 'Resource', id: 'Part of the id', header: 'Header name=value', worker: 'Worker' };
const JOB_STATES = ['waiting', 'active', 'delayed', 'blocked', 'failed', 'completed'];

async function jobsPage(params) {
  const wanted = { state: 'waiting', ...params };
  const select = h('select', { name: 'state' }, JOB_STATES.map((name) => h('option', { value: name, selected: name === wanted.state }, name)));
  const fields = Object.entries(FILTERS).map(([name, label]) => h('label', {}, label, h('input', { name, value: wanted[name] ?? '' })));
  const submit = (event) => {
    event.preventDefault();
    location.hash = '#/jobs' + query(Object.fromEntries(new FormData(event.target)));
  };
  const form = h('form', { class: 'filter', onsubmit: submit, onchange: (event) => event.target === select && form.requestSubmit() }, h('label', {}, 'State', select), fields, h('button', {}, 'Show'));
  const page = await call('api/jobs' + query(wanted));
  const rows = page.jobs.map((job) => [
    jobLink(job.id), named(job.task), h('span', { class: `state ${job.state}` }, job.state), show(job.priority), job.group || job.resource || '',
    `${job.attempt} of ${job.retries + 1}`, when(job.failed_at ?? job.completed_at ?? job.assigned_at ?? job.due_at), job.error?.split('\n')[0] ?? '',
  ]);
  const filtered = Object.keys(FILTERS).some((name) => wanted[name]);
  const none = page.examined === 0 ? `No job is ${wanted.state}.` : `None of the ${plural(page.examined, 'job')} looked at matches.`;
  const next = page.next && link('jobs', { ...wanted, after: page.next }, filtered ? 'Look at more' : 'Next page');
  const first = wanted.after && link('jobs', { ...wanted, after: '' }, 'First page');
  const columns = ['Job', 'Task', 'State', '>Priority', 'Group, resource', 'Attempt', 'Since, due', 'Error'];
  return [h('h1', {}, 'Jobs'), form, table(columns, rows, none), h('div', { class: 'more' }, first, next, h('span', { class: 'dim' }, `${plural(page.examined, 'job')} looked at`))];
}

async function jobPage({ id, payload }) {
  const { job, content, flow } = await call('api/job' + query({ id, payload }));
  const facts = {
    State: h('span', { class: `state ${job.state}` }, job.state), Task: named(job.task), Attempt: `${job.attempt} of ${job.retries + 1}`, Crashes: job.crashes || '',
    Priority: job.priority || '', Group: job.group, Resource: job.resource, Limits: job.limits.join(', '), Worker: job.holder, 'Fencing token': job.fence || '',
    ...Object.fromEntries(Object.entries(job.headers).map(([name, value]) => [`Header ${name}`, value])),
  };
  const list = h('dl', {}, Object.entries(facts).filter(([, value]) => value !== '').map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
  const events = [
    [job.due_at, 'is due'], [job.assigned_at, `attempt ${job.attempt} was assigned to ${job.holder || 'a worker'}, fencing token ${job.fence}`],
    ...(job.failed_attempts ?? []).flatMap((one) => [
      [one.assigned_at, `was assigned to ${one.holder}, fencing token ${one.fence}`], [one.failed_at, `attempt failed: ${one.reason}: ${one.error}`],
    ]),
    ...(job.log ?? []).map((line) => [line.time, `log: ${line.text}`]), [job.failed_at, `failed: ${job.reason}`], [job.completed_at, 'was completed'],
  ].filter(([time]) => time).sort(([a], [b]) => a - b);
  const timeline = events.length > 0 ? [h('h2', {}, 'Timeline'), h('ol', { class: 'timeline' }, events.map(([time, text]) => h('li', {}, h('span', { class: 'dim' }, absolute(time), ' (', when(time), ') '), text)))] : [];
  const section = (title, value) => (value === undefined || value === null || value === '' ? [] : [h('h2', {}, title), h('pre', {}, typeof value === 'string' ? value : JSON.stringify(value, null, 2))]);
  const shown = (value) => value && ('json' in value ? JSON.stringify(value.json, null, 2) : `${value.text}\n(${plural(value.bytes, 'byte')})`);
  const hidden = state.overview?.payloads ? link('job', { id, payload: true }, 'Show payload and result') : h('span', { class: 'dim' }, 'This dashboard shows no payloads.');
  const graph = flow ? [h('h2', {}, `Flow ${flow.id} of ${plural(flow.number, 'job')}`), table(['Job', 'State', 'After'], flow.jobs.map((one) => [jobLink(one.id), h('span', { class: `state ${one.state}` }, one.state), (one.after ?? []).join(', ')]), '')] : [];
  const actions = [
    job.state === 'failed' && button('Retry', { action: 'retry', id }, () => 'The job waits again.'), ' ',
    job.state !== 'completed' && button('Delete', { action: 'delete', id }, () => 'The job is deleted.', `Delete the job ${id}? If a worker runs it, it stops.`, true),
  ];
  return [
    h('h1', {}, id), list, h('div', { class: 'more' }, actions), timeline, section('Error', [job.error, job.traceback].filter(Boolean).join('\n\n')), section('Progress', job.progress), section('Checkpoint', job.checkpoint),
    content ? [section('Payload', shown(content.payload)), section('Result', shown(content.result))] : h('div', { class: 'more' }, hidden), graph,
  ];
}

async function failedPage() {
  const page = await call('api/failed');
  const rows = page.groups.map((group) => {
    const same = { reason: group.reason, fingerprint: group.fingerprint };
    return [
      show(group.count), group.reason, group.error || '', group.tasks.map(named).join(', '), when(group.last_at), jobLink(group.example),
      [
        button('Retry', { action: 'retry_failed', ...same }, (count) => `${plural(count, 'job')} retried.`, `Retry all failed jobs with this error?`), ' ',
        button('Delete', { action: 'delete_failed', ...same }, (count) => `${plural(count, 'job')} deleted.`, `Delete all failed jobs with this error? They cannot be restored.`, true),
      ],
    ];
  });
  const note = page.more ? h('p', { class: 'dim' }, `The newest ${plural(page.examined, 'job')} were looked at; there are more. Actions concern all with the same error.`) : null;
  return [h('h1', {}, 'Failed jobs'), table(['>Jobs', 'Reason', 'Error', 'Tasks', 'Last', 'Newest job', ''], rows, 'No job has failed.'), note, h('p', {}, link('jobs', { state: 'failed' }, 'List them one by one'))];
}

async function schedulesPage(params) {
  const page = await call('api/schedules' + query(params));
  const rows = page.schedules.map((one) => {
    const timing = one.cron ? `${one.cron} (${one.tz})` : one.every ? `every ${duration(one.every)}` : `${duration(one.after_end)} after the end`;
    const { id } = one;
    const mark = one.ended ? 'ended' : one.paused ? h('span', { class: 'text-warn' }, 'paused') : '';
    const actions = [
      button('Run now', { action: 'run_schedule', id }, () => 'A job was added.', `Run ${id} now?`), ' ',
      one.paused ? button('Resume', { action: 'resume_schedule', id }, () => `${id} is resumed.`) : button('Pause', { action: 'pause_schedule', id }, () => `${id} is paused.`), ' ',
      button('Remove', { action: 'remove_schedule', id }, () => `${id} is removed.`, `Remove the schedule ${id}? It cannot be restored.`, true),
    ];
    return [id, named(one.task), timing, when(one.next_at), when(one.last_at), one.last_job ? jobLink(one.last_job) : '', show(one.added), show(one.skipped), mark, actions];
  });
  const next = page.next && link('schedules', { after: page.next }, 'Next page');
  const columns = ['Schedule', 'Task', 'When', 'Next', 'Last', 'Last job', '>Added', '>Skipped', '', ''];
  return [h('h1', {}, 'Schedules'), table(columns, rows, 'There is no schedule.'), h('div', { class: 'more' }, next)];
}

async function limitsPage() {
  const { limits } = await call('api/limits');
  const figures = (figures) => {
    if (!figures.rate && !figures.concurrency) return h('span', { class: 'text-warn' }, 'not declared');
    const rate = figures.rate && `${show(figures.rate)} in ${duration(figures.per)}, burst ${show(figures.burst ?? figures.rate)}`;
    return [rate, figures.concurrency && `${show(figures.concurrency)} at once`].filter(Boolean).join('; ');
  };
  const rows = limits.map((limit) => [limit.name, figures(limit), show(limit.active), show(limit.blocked), limit.next_in_ms > 0 ? `in ${duration(limit.next_in_ms)}` : 'now']);
  return [h('h1', {}, 'Limits'), table(['Limit', 'Allows', '>Active', '>Blocked', 'Next start'], rows, 'There is no limit.')];
}

async function redisPage() {
  const server = await call('api/redis');
  const persistence = [server.append_only ? `append-only file, fsync ${server.append_fsync ?? 'unknown'}` : 'no append-only file', server.snapshots ? `snapshots ${server.snapshots}` : 'no snapshots'];
  const clock = server.clock_ahead_ms;
  const facts = {
    Address: server.address, Server: `${server.name} ${server.version}, ${server.mode}, ${server.role}`,
    Memory: `${bytes(server.used_memory)} of ${server.max_memory ? bytes(server.max_memory) : 'no limit'}`, Eviction: server.eviction_policy || 'unknown',
    Persistence: persistence.join('; '), 'Last save': server.save_failed ? h('span', { class: 'text-bad' }, 'failed') : 'ok',
    Connections: `${show(server.clients)} of ${show(server.max_clients)}`, 'Round trip': `${show(server.round_trip_us / 1000)} ms`,
    Clock: clock === null ? 'unknown' : clock === 0 ? 'as here' : `${duration(Math.abs(clock))} ${clock > 0 ? 'ahead' : 'behind'}`,
  };
  const list = h('dl', {}, Object.entries(facts).map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
  const bad = [server.refusal, ...(server.denied ?? []).map((name) => `The user may not call ${name}.`), ...server.warnings].filter(Boolean);
  const damaged = state.overview?.snapshot?.stats.damaged;
  if (damaged > 0) bad.push(`${plural(damaged, 'damaged entry').replace('entrys', 'entries')} repaired or set aside since the cluster was created; \`swarm doctor\` shows what to do.`);
  return [h('h1', {}, 'Redis'), list, h('h2', {}, 'Findings'), bad.length > 0 ? h('ul', {}, bad.map((text) => h('li', { class: 'text-warn' }, text))) : h('p', { class: 'text-ok' }, 'Nothing to do.')];
}

const PAGES = {
  overview: { title: 'Overview', key: 'o', draw: overviewPage, live: true },
  tasks: { title: 'Tasks', key: 't', draw: tasksPage, live: true },
  workers: { title: 'Workers', key: 'w', draw: workersPage, live: true },
  jobs: { title: 'Jobs', key: 'j', draw: jobsPage },
  failed: { title: 'Failed', key: 'f', draw: failedPage },
  schedules: { title: 'Schedules', key: 's', draw: schedulesPage },
  limits: { title: 'Limits', key: 'l', draw: limitsPage },
  redis: { title: 'Redis', key: 'r', draw: redisPage },
  job: { title: 'Job', draw: jobPage, hidden: true },
};

// Opens the page of the address. `again`: it is refreshed.
async function open(again) {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?');
  const name = path in PAGES ? path : 'overview';
  const page = PAGES[name];
  const params = Object.fromEntries(new URLSearchParams(search ?? ''));
  const turn = (state.refresh += 1);
  for (const item of $('nav').children) item.toggleAttribute('aria-current', item.dataset.name === name);
  if (!again) document.title = `${page.title} – ${state.overview?.cluster ?? 'libswarm'}`;
  if (page.live && !state.overview?.snapshot) {
    state.route = null;
    if (!again) $('main').replaceChildren(h('h1', {}, page.title), h('p', { class: 'dim' }, 'Waiting for the cluster.'));
    return;
  }
  try {
    if (page.live) charts.clear();
    const content = await page.draw(params);
    if (turn !== state.refresh) return;
    // Not while somebody types or has opened a question.
    if (again && ($('main').contains(document.activeElement) && /INPUT|SELECT/.test(document.activeElement.tagName) || $('dialog').open)) return;
    const selected = [...$('main').querySelectorAll('tbody tr')].findIndex((row) => row.ariaSelected === 'true');
    $('main').replaceChildren(...[content].flat(Infinity).filter(Boolean));
    if (again) select(selected);
    else $('main').focus();
    state.route = name;
    if (name === 'overview') drawHistory();
    if (state.overview?.snapshot) trouble('');
  } catch (error) {
    if (turn !== state.refresh) return;
    trouble(error.message);
    if (!again) $('main').replaceChildren(h('h1', {}, page.title));
    state.route = null;
  }
}

// Rows of tables are chosen with j and k.
function select(at) {
  const rows = [...$('main').querySelectorAll('tbody tr')];
  rows.forEach((row, index) => (row.ariaSelected = String(index === at)));
  return rows[at];
}

function move(by) {
  const rows = [...$('main').querySelectorAll('tbody tr')];
  const now = rows.findIndex((row) => row.ariaSelected === 'true');
  select(Math.max(0, Math.min(rows.length - 1, now + by)))?.scrollIntoView({ block: 'nearest' });
}

function help() {
  const keys = [...Object.values(PAGES).filter((page) => page.key).map((page) => [`g ${page.key}`, page.title]), ['j  k', 'Next, previous row'], ['Enter', 'Open the row'], ['/', 'Filter jobs'], ['r', 'Refresh'], ['d', 'Light or dark'], ['?', 'This list']];
  const close = h('button', { type: 'button', onclick: () => $('dialog').close() }, 'Close');
  $('dialog').replaceChildren(h('dl', {}, keys.map(([key, text]) => [h('dt', {}, h('kbd', {}, key)), h('dd', {}, text)])), h('div', { class: 'buttons' }, close));
  $('dialog').showModal();
}

function theme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('theme', document.documentElement.dataset.theme);
  charts.clear();
  open(true);
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $('dialog').open || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
  const before = state.pending;
  state.pending = '';
  if (before === 'g') {
    const found = Object.entries(PAGES).find(([, page]) => page.key === event.key);
    if (found) location.hash = '#/' + found[0];
    return;
  }
  const row = $('main').querySelector('tbody tr[aria-selected="true"] a');
  const does = { g: () => (state.pending = 'g'), j: () => move(1), k: () => move(-1), '?': help, r: () => open(true), d: theme, Enter: () => row?.click() };
  if (event.key === '/') {
    event.preventDefault();
    if (state.route === 'jobs') $('main').querySelector('input[name=id]').focus();
    else location.hash = '#/jobs';
  } else {
    does[event.key]?.();
  }
}

// The connection

function live() {
  const on = state.overview?.snapshot;
  $('live').className = on ? 'on' : 'off';
  $('live').textContent = on ? 'live' : state.overview?.error ? 'Redis is away' : 'connecting';
}

function looked(overview) {
  const had = state.overview?.snapshot;
  state.overview = overview;
  $('cluster').textContent = overview.cluster;
  $('address').textContent = overview.address;
  live();
  if (overview.error) return trouble(overview.error.message);
  state.points.push(overview.point);
  state.points = state.points.slice(-400);
  if (!had) return open(state.route !== null);
  if (state.route === 'overview') updateOverview();
  else if (PAGES[state.route]?.live) open(true);
}

function connect() {
  state.source?.close();
  const source = (state.source = new EventSource('api/overview'));
  source.addEventListener('history', (event) => (state.points = JSON.parse(event.data)));
  source.addEventListener('overview', (event) => looked(JSON.parse(event.data)));
  source.addEventListener('error', () => {
    state.overview = state.overview && { ...state.overview, snapshot: null };
    live();
    trouble('The dashboard does not answer. Is `swarm dashboard` still running?');
  });
}

// A page that nobody sees costs nothing.
function visible() {
  if (document.hidden) {
    state.source?.close();
    state.source = null;
  } else if (!state.source) {
    connect();
  }
}

const stored = localStorage.getItem('theme');
if (stored) document.documentElement.dataset.theme = stored;
$('nav').append(...Object.entries(PAGES).filter(([, page]) => !page.hidden).map(([name, page]) => h('a', { href: '#/' + name, 'data-name': name, title: `g ${page.key}` }, page.title)));
$('theme').addEventListener('click', theme);
$('keys').addEventListener('click', help);
addEventListener('hashchange', () => open(false));
addEventListener('keydown', press);
document.addEventListener('visibilitychange', visible);
setInterval(() => !document.hidden && state.route && !PAGES[state.route].live && open(true), REFRESH_MS);
setInterval(() => !document.hidden && state.route === 'overview' && drawHistory(), HISTORY_MS);
connect();
open(false);
