import * as testing from "./index.js";
export default testing;
export * from "./index.js";
