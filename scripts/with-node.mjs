#!/usr/bin/env node
// Installs once what the lock file names, then runs a script on the Node of node_modules. Plain JavaScript: the
// machine's own Node, 20 or newer, runs it. `ignore-scripts` skips npm's pre-scripts, so the install stands here.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockFile = join(root, 'package-lock.json');
const stampFile = join(root, 'node_modules', '.stepseal-installed');
const npmList = join(root, 'node_modules', '.package-lock.json');
// not .bin/node: npm 10 removes that link together with the package of the other architecture, whose link it would be too
const ownNode = join(root, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node');
const nodeLink = join(root, 'node_modules', '.bin', 'node');
const installLock = join(root, '.stepseal', 'install.lock');

class Failure extends Error {}

function fail(message) {
  throw new Failure(message);
}

process.on('uncaughtException', (error) => {
  process.stderr.write(error instanceof Failure ? `stepseal: ${error.message}\n` : `${error.stack}\n`);
  process.exit(1);
});

const newEnough = Number(process.versions.node.split('.')[0]) >= NODE_MAJOR;
const noNode = `Node ${NODE_MAJOR} is needed, and npm has not brought it for ${process.platform} on ${process.arch}; this one is ${process.version}. Run the same command again, or install Node ${NODE_MAJOR}.`;

const lockDigest = () => createHash('sha256').update(readFileSync(lockFile)).digest('hex');

function installed() {
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8').trim() === lockDigest()) return true;
  if (!npmHasInstalled()) return false;
  writeStamp();
  return true;
}

/** Somebody ran npm by hand: the list that npm leaves in node_modules holds what the lock file names, and nothing else. */
function npmHasInstalled() {
  if (!existsSync(npmList) || !(existsSync(ownNode) || newEnough)) return false;
  const wanted = JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  const there = JSON.parse(readFileSync(npmList, 'utf8')).packages;
  delete wanted[''];
  const same = ([path, item]) => (there[path] === undefined ? item.optional === true : there[path].integrity === item.integrity);
  return Object.entries(wanted).every(same) && Object.keys(there).every((path) => wanted[path] !== undefined);
}

const writeStamp = () => writeFileSync(stampFile, `${lockDigest()}\n`);

/** Kernel start time of a process; with the pid it names one process for good. */
function startTime(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ')[19];
  } catch {
    return undefined; // it has ended
  }
}

/** One installer at a time: the lock is a file of its holder's pid and start time, put there whole by link(2). */
function tryLock() {
  mkdirSync(dirname(installLock), { recursive: true });
  const mine = `${installLock}.${process.pid}`;
  writeFileSync(mine, `${process.pid} ${startTime(process.pid)}`);
  try {
    linkSync(mine, installLock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    stealIfDead(mine);
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

function stealIfDead(mine) {
  try {
    const holder = readFileSync(installLock, 'utf8');
    const [pid, start] = holder.split(' ');
    if (startTime(pid) === start) return;
    const aside = `${mine}.stale`;
    renameSync(installLock, aside);
    // another waiter may have been faster and the file the lock of a living one: then it goes back
    if (readFileSync(aside, 'utf8') !== holder) linkSync(aside, installLock);
    rmSync(aside);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
}

/** The launcher compares the times of the lock file and the stamp, which costs nothing; git may have touched the former. */
function touchStamp() {
  if (statSync(stampFile).mtimeMs > statSync(lockFile).mtimeMs) return;
  try {
    utimesSync(stampFile, new Date(), new Date());
  } catch (error) {
    // somebody else's checkout: the launcher then always comes through here
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
  }
}

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

async function install() {
  for (let said = false; !tryLock(); await sleep(200)) {
    if (!said) process.stderr.write('stepseal: waiting for another install in this folder\n');
    said = true;
  }
  try {
    if (installed()) return;
    await npmCi();
    // an optional package that cannot be fetched is left out in silence
    if (!existsSync(ownNode) && !newEnough) await npmCi();
    if (!existsSync(ownNode) && !newEnough) fail(noNode);
    if (existsSync(ownNode) && !existsSync(nodeLink)) symlinkSync(relative(dirname(nodeLink), ownNode), nodeLink);
    writeStamp();
  } finally {
    rmSync(installLock, { force: true });
  }
}

async function npmCi() {
  // npm tells its scripts where it is; its own Node is used, because `npm ci` removes the one in node_modules
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const [file, ...args] = [...npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.endsWith('node_modules/.bin')).join(':');
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, PATH: path } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const progress = showProgress();
  const stop = (signal) => {
    child.kill('SIGTERM');
    rmSync(installLock, { force: true });
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
  const [code, error] = await new Promise((done) => {
    child.on('error', (cause) => done([1, cause]));
    child.on('close', (status) => done([status ?? 1]));
  });
  progress.end();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, stop);
  if (error?.code === 'ENOENT') fail('npm is not there. Install Node 20 or newer with npm, then try again.');
  if (code !== 0) fail(`npm ci failed (exit code ${code}). What it said:\n\n${output.trim().split('\n').slice(-25).join('\n')}\n\nOnce that is mended, run the same command again.`);
}

function showProgress() {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  const text = 'Installing what Stepseal needs, once';
  if (!process.stderr.isTTY) {
    process.stderr.write(`${text} …\n`);
    return { end: () => process.stderr.write(`Installed in ${seconds()} s\n`) };
  }
  const draw = () => process.stderr.write(`\r${text} … ${seconds()} s\u001b[K`);
  draw();
  const timer = setInterval(draw, 1000);
  return {
    end: () => {
      clearInterval(timer);
      process.stderr.write(`\rInstalled in ${seconds()} s\u001b[K\n`);
    },
  };
}

function run(node, script, args) {
  const child = spawn(node, [script, ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    // what a terminal sends, it sends to the whole group: the child has it already
    process.on(signal, () => (process.stdin.isTTY && signal !== 'SIGTERM' ? undefined : child.kill(signal)));
  }
  child.on('error', (error) => fail(`${node} does not start: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) fail('usage: with-node.mjs SCRIPT [ARGUMENT...]');
const target = resolve(root, script);
if (!installed()) await install();
else touchStamp();
process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules', '.cache', 'stepseal');
if (process.execPath === ownNode) {
  // npm has put that Node first in PATH: no second process
  process.argv.splice(1, process.argv.length, target, ...args);
  process.removeAllListeners('uncaughtException');
  const { enableCompileCache } = await import('node:module');
  enableCompileCache(process.env.NODE_COMPILE_CACHE);
  await import(pathToFileURL(target).href);
} else if (existsSync(ownNode)) run(ownNode, target, args);
else if (newEnough) run(process.execPath, target, args);
else fail(noNode);
