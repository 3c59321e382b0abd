"use strict";
// Calls the function of a task, which is user code: it may throw, call back twice, or return a promise.

const { isError } = require("../../lib/text.js");

/** Resolves with the outcome of the task: null, or its error. `late` is called for later errors. */
function perform(task, params, late) {
  return new Promise((resolve) => {
    let over = false;
    const end = (error) => {
      over = true;
      resolve(error);
    };
    const thrown = (error) => (over ? late : end)(errorOf(error));
    try {
      const returned = task.perform(params, (error) => {
        if (over) late(new Error(`${task.id}: callback called twice`));
        else end(error ? errorOf(error) : null);
      });
      // An async function, too, reports by its callback that it is done; its promise only reports errors.
      if (typeof returned?.then === "function") returned.then(undefined, thrown);
    } catch (error) {
      thrown(error);
    }
  });
}

function errorOf(error) {
  return isError(error) ? error : new Error("task returned non error object");
}

module.exports = perform;
