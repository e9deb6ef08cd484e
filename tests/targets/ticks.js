// Ticks in Node's ways; see tests/programs/waits/ticker.rs for what it is told and answers. Both count the monotonic clock.

const { Worker } = require('worker_threads');
const PERIOD = 50;

let interval = 0, timeout = 0;
const shared = new Int32Array(new SharedArrayBuffer(8));
setInterval(() => interval++, PERIOD);
(function again() { setTimeout(() => { timeout++; again(); }, PERIOD); })();
new Worker(`
  const { workerData: shared } = require('worker_threads');
  for (;;) { Atomics.wait(shared, 0, 0, ${PERIOD}); Atomics.add(shared, 1, 1); }
`, { eval: true, workerData: shared }).on('online', () => console.log(`ready ${process.pid}`));

require('readline').createInterface({ input: process.stdin })
  .on('line', line => console.log(line === 'ticks'
    ? `setInterval:${interval}:0 setTimeout:${timeout}:0 Atomics.wait:${Atomics.load(shared, 1)}:0`
    : 'woken'))
  .on('close', () => process.exit(0));
