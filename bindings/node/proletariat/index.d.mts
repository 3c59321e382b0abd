export * from "./index.js";
import * as proletariat from "./index.js";
export default proletariat;
