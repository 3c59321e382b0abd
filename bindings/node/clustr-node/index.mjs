import clustr from "./index.js";

export const { Master, Worker } = clustr;

export default clustr;
