export * from "./index.js";
import * as clustr from "./index.js";
export default clustr;
