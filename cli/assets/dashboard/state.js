// What the server reported last. Only live.js writes it.

export const state = {
  // The latest overview; its `snapshot` is missing while Redis or the dashboard does not answer.
  overview: null,
  // The figures of the live charts, oldest first.
  points: [],
};
