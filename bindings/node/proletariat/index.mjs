import proletariat from "./index.js";

export const { Client, Manager, Worker } = proletariat;

export default proletariat;
