// Preload: any attempt to open a socket or to resolve a name ends the process with a trace.
import dgram from 'node:dgram';
import dns from 'node:dns';
import net from 'node:net';
import { syncBuiltinESMExports } from 'node:module';

function refuse(what) {
  return () => {
    process.stderr.write(`${new Error(`OFFLINE: ${what} was called`).stack}\n`);
    process.exit(99);
  };
}

net.Socket.prototype.connect = refuse('Socket.connect');
net.Server.prototype.listen = refuse('Server.listen');
dgram.createSocket = refuse('dgram.createSocket');
globalThis.fetch = refuse('fetch');
for (const name of Object.keys(dns)) if (/^(?:lookup|resolve|reverse)/.test(name)) dns[name] = refuse(`dns.${name}`);
for (const name of Object.keys(dns.promises)) if (/^(?:lookup|resolve|reverse)/.test(name)) dns.promises[name] = refuse(`dns.promises.${name}`);
syncBuiltinESMExports();
