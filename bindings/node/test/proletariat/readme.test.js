"use strict";
// The programs of proletariat's own page, each in a process of its own; only what they require is another.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { Program, atEnd, proletariat, until } = require("./support.js");

const where = JSON.stringify(path.join(__dirname, "../../proletariat"));

test("the programs of the page work together", async (t) => {
  const manager = spawn(process.execPath, [path.join(__dirname, "../../proletariat/bin.js")], { stdio: "inherit" });
  atEnd(t, () => manager.kill("SIGKILL"));
  const daemon = new Program(t, `
    var
        Manager = require(${where}).Manager,
        manager = new Manager();
    manager.on('sysmsg', function (msg) { say("System message: ", msg.content); });
    manager.start();`);
  const worker = new Program(t, `
    var
        Worker = require(${where}).Worker,
        worker = new Worker({slots: 100, host: "127.0.0.1"});

    // Start it
    worker.start();

    // New work arrive
    worker.on('work',function(w,handler){
        // This will take time
        setTimeout(function(){
            handler(null,"Greetings, comrade!");
        }, 100);
    });
    worker.on('sysmsg',function(msg){
       say("System message: ",msg);
    });`);
  const startClient = () => new Program(t, `
    var Proletariat = require(${where}).Client,
        proletariat = new Proletariat("127.0.0.1");

    proletariat.work([{some:"work"}],{timeout: 60000, priority: 1},function(err,res){
        if ( err ) {
            say("Fail at work: ",err);
            return;
        }
        say("Result: ",res);
        proletariat.systemMessage({"do":"something"},function(){
           say("Everybody got the message");
        });
    });`);
  const watcher = new proletariat.Client();
  atEnd(t, () => watcher.close());
  const managers = async () => (await watcher._peer.look()).peers.filter(({ role }) => role === "manager").length;
  await until(async () => (await managers()) >= 2, "both managers are there");
  const client = startClient();
  assert.deepEqual(await client.prints("Result: "), [[{ err: null, data: "Greetings, comrade!" }]]);
  await client.prints("Everybody got the message");
  assert.deepEqual(await worker.prints("System message: "), [{ do: "something" }]);
  assert.deepEqual(await daemon.prints("System message: "), [{ do: "something" }]);
  assert.deepEqual([client.errors, worker.errors, daemon.errors], ["", "", ""]);
});
