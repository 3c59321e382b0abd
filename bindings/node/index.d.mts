export * from "./index.js";
import * as assemblage from "./index.js";
export default assemblage;
