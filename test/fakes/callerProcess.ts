// A process that connects to a Unix socket and stays. Run by tests: node callerProcess.ts SOCKET [MODE]
//   hand-over: a child inherits the connection, and this process ends
//   nested:    connects from a child in a further pid namespace
//   orphan:    connects from a child whose parents have ended
import { spawn, type StdioOptions } from 'node:child_process';
import { connect } from 'node:net';

const [path, mode] = process.argv.slice(2);
const self = import.meta.filename;
const detached = { stdio: 'ignore' as StdioOptions, detached: true };

if (mode === 'nested') spawn('unshare', ['--pid', '--fork', '--kill-child', process.execPath, self, path!], { stdio: 'inherit' });
else if (mode === 'orphan') {
  spawn(process.execPath, [self, path!], detached).unref();
  process.exit();
} else {
  const socket = connect(path!);
  socket.once('error', () => process.exit(1));
  socket.once('close', () => process.exit(0));
  socket.once('connect', () => {
    if (mode !== 'hand-over') return;
    const heir = spawn('sleep', ['30'], { stdio: ['ignore', 'ignore', 'ignore', socket], detached: true });
    heir.unref();
    heir.once('spawn', () => {
      process.stdout.write(`${heir.pid}\n`, () => process.exit(0));
    });
  });
}
