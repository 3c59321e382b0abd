"use strict";
// Supervisors: keep processes running, and leave no orphan processes.

const os = require("node:os");
const Channel = require("./channel.js");
const { emit, settled } = require("./callbacks.js");
const { invalid, nameOf, optionsOf, shown } = require("./check.js");
const { errorOf } = require("./errors.js");
const native = require("./native.js");
const { append } = require("./options.js");
const { appendParts } = require("./new_job.js");
const signals = require("./signals.js");
const { Code } = require("./wire.js");

/** Options that are passed to the core unchanged. */
const passed = ["grace", "healthy", "maxRespawns", "respawnWindow", "forward", "lines", "lineBuffer"];
const passedOfPrograms = ["name", "count", "respawn", "ready", "readyTimeout", "cpus"];

/** The limit of ids of processes. */
const MAX_ID = 2 ** 32 - 1;

const signalNames = new Map(Object.entries(os.constants.signals).map(([name, number]) => [number, name]));

class Supervisor extends Channel {
  constructor(options) {
    super();
    this.type = "supervisor";
    this._spawned = false;
    this._stopped = false;
    this._keptAlive = false;
    const settings = settingsOf(optionsOf(options, [...passed, "backoff"], "a supervisor"));
    if (!native.openSupervisor) throw invalid(`there are no supervisors on ${process.platform}`);
    this._open((wake) => native.openSupervisor(settings, wake));
    this._native.keepAlive(false);
  }

  /**
   * Starts the processes of a program, and resolves with their ids. `options`: `env` (added to the environment), `cwd`, `cpus`, `name`, `count`,
   * `respawn`, `ready` (`"start"` or `"explicit"`) and `readyTimeout` in milliseconds.
   */
  spawn(command, args, options, callback) {
    if (typeof args === "function") [args, callback] = [undefined, args];
    if (typeof options === "function") [options, callback] = [undefined, options];
    if (args && !Array.isArray(args) && options === undefined) [args, options] = [undefined, args];
    return settled(callback, (settle) => {
      if (typeof command !== "string") throw invalid(`the command is ${shown(command)}, it must be a string`);
      if (args !== undefined && args !== null && !Array.isArray(args)) throw invalid(`the arguments are ${shown(args)}, they must be an array`);
      const done = (error, ids) => {
        if (!error) this._spawned = true;
        settle(error, ids);
      };
      const known = optionsOf(options, [...passedOfPrograms, "cwd", "env"], "a program");
      this._native_("spawn", done, nameOf(command, "command"), programOf(args ?? [], known), envOf(known.env));
    });
  }

  /** Stops the process of an id permanently: TERM to its group, KILL after `grace`. Resolves when no process of the group is left. */
  kill(id, callback) {
    return settled(callback, (settle) => {
      if (typeof id !== "number") throw invalid(`the id of a process is ${shown(id)}, it must be a number`);
      // No process has the id 0.
      this._native_("kill", settle, Number.isInteger(id) && id > 0 && id <= MAX_ID ? id : 0);
    });
  }

  /** Replaces all processes, one after another, each once the new one is ready. Ends at the first that fails. */
  reload(callback) {
    return this._ask(callback, "reload");
  }

  /** Stops all processes at the same time. Resolves when none is left; so does a further call. */
  stop(callback) {
    return settled(callback, (settle) => {
      if (this._native === null) process.nextTick(settle, null);
      else this._native_("stop", settle);
    });
  }

  /** Makes SIGHUP reload, and SIGTERM and SIGINT stop. None of them ends this process any more, not even after the stop. */
  handleSignals() {
    if (this._native === null) throw this._closedError();
    signals.add(this);
    return this;
  }

  /** All processes, and the ids that have none at the moment. */
  list() {
    const text = this._native?.list();
    return text ? JSON.parse(text) : [];
  }

  _expect(settle) {
    const token = super._expect(settle);
    this._keepAlive();
    return token;
  }

  _dispatch(code, key, a, b, incoming) {
    switch (code) {
      case Code.PROCESS:
        return this._happened(...JSON.parse(incoming.text(a)));
      case Code.PROCESS_LINE:
        return emit(this, "line", { ...JSON.parse(incoming.text(a)), line: incoming.bytes(b) });
      default:
        return super._dispatch(code, key, a, b, incoming);
    }
  }

  _happened(name, about) {
    switch (name) {
      case "exited":
        return emit(this, name, { ...about, signal: signalNames.get(about.signal) ?? about.signal });
      case "reloadFailed":
        return emit(this, name, { ...about, error: errorOf(...about.error) });
      case "stopped":
        this._stopped = true;
        signals.remove(this);
        return emit(this, name);
      case "reloaded":
        return emit(this, name);
      default:
        return emit(this, name, about);
    }
  }

  _answered() {
    if (this._stopped && this._calls.size === 0) this._release();
    else this._keepAlive();
  }

  /** Keeps this process alive while there are processes; otherwise only during calls. */
  _keepAlive() {
    const alive = this._calls.size > 0 || (this._spawned && !this._stopped);
    if (alive === this._keptAlive || this._native === null) return;
    this._keptAlive = alive;
    this._native.keepAlive(alive);
  }
}

if (Symbol.asyncDispose) {
  Supervisor.prototype[Symbol.asyncDispose] = function dispose() {
    return this.stop();
  };
}

function settingsOf({ backoff, ...options }) {
  const settings = [];
  append(settings, options, passed);
  // A number is a fixed pause.
  if (typeof backoff === "number") settings.push("backoff", "fixed", "backoff_delay", String(backoff));
  else if (backoff !== undefined && backoff !== null) appendParts(settings, "backoff", backoff);
  return settings;
}

function programOf(args, { cwd, env, ...options }) {
  const settings = args.flatMap((arg) => ["arg", typeof arg === "boolean" ? String(arg) : nameOf(arg, "argument")]);
  append(settings, options, passedOfPrograms);
  if (cwd !== undefined && cwd !== null) settings.push("dir", nameOf(cwd, "option cwd"));
  return settings;
}

/** Names and values in turn; undefined values are ignored, as in child_process. */
function envOf(env) {
  if (env === undefined || env === null) return [];
  if (typeof env !== "object" || Array.isArray(env)) throw invalid(`env is ${shown(env)}, it must be an object`);
  return Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return [nameOf(name, "name of a variable"), typeof value === "boolean" ? String(value) : nameOf(value, `variable ${name}`)];
  });
}

module.exports = Supervisor;
