import { existsSync, lstatSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { StepsealError } from '../base/errors.ts';
import type { TaskFolders, WorkspaceFolder } from './folders.ts';
import { aliases, below, isBelow, type Mount, mountOf } from './mountinfo.ts';
import { quote } from './shell.ts';

/** Where the agent's sockets are for a step; the folder that Tekton's TEP-0089 uses. */
export const STEP_SOCKETS = { workload: '/spiffe-workload-api/spire-agent.sock', seal: '/spiffe-workload-api/seal.sock' } as const;

export interface RootOptions {
  /** an empty folder that the new root is mounted on */
  readonly mountpoint: string;
  readonly folders: TaskFolders;
  readonly step: string;
  /** as `makeTemporary` gives it */
  readonly temporary: string;
  readonly sockets: { readonly workload: string; readonly seal: string };
  /** real paths of folders that steps must not see */
  readonly hidden: readonly string[];
  readonly mounts: readonly Mount[];
}

/** Not taken from this machine: made anew, or kept away (sockets in /run lead out: docker, systemd, agents). */
const OWN = ['dev', 'proc', 'run', 'tekton', 'tmp', 'workspace', 'spiffe-workload-api'];
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
/** /proc is writable to the machine's root by permission alone, without any capability. */
const PROC_READ_ONLY = ['sys', 'sysrq-trigger', 'irq', 'bus', 'fs', 'acpi', 'scsi'];
/** resolv.conf is often a link into it */
const RUN_KEPT = ['/run/systemd/resolve', '/run/resolvconf', '/run/NetworkManager'];

/** In the new root until it is entered: where workspaces wait for their place, and where the old root goes. */
const STAGING = '.stepseal';
const OLD = '.old';
/**
 * Programs and libraries that the supervisor runs after the root is entered, with rights over the mounts: nothing of a
 * tenant's may lie over them.
 */
const SYSTEM = /^(?:bin|sbin|usr|etc|nix|gnu|lib.*)$/;

/** A mount that this user cannot reach, the step cannot reach either. `readonly_mount FLAGS PATH` */
const READONLY_MOUNT = `readonly_mount() { why=$(mount -n -o "remount,bind,$1" "$2" 2>&1) || [ ! -e "$2" ] || { echo "$why" >&2; exit 1; }; }`;

/**
 * Goes to a folder below another, makes what is missing, and follows no link: what is in a workspace is a tenant's, and
 * may be exchanged at any moment. `enter FOLDER PART...`; then `.` is the place, whatever becomes of its path.
 */
const ENTER = `enter() {
  cd -P -- "$1"; at=$(pwd -P); shift
  for part; do mkdir -- "./$part" 2>/dev/null || :; cd -P -- "./$part" || exit 1; at=$at/$part; done
  [ "$(pwd -P)" = "$at" ] || { echo "$at passes a symbolic link" >&2; exit 1; }
}`;

/**
 * Shell commands that build a step's root directory and enter it: this machine read-only, own /proc, /dev, /tmp and
 * /run, Tekton's /tekton and /workspace, the workspaces, and nothing in the hidden folders, by whatever path.
 * Throws TASK_WORKSPACE_INVALID for a mountPath that cannot be made.
 */
export function rootCommands(options: RootOptions): string {
  const { mountpoint, folders, step, temporary, sockets } = options;
  const at = (path: string): string => quote(join(mountpoint, path));
  const bind = (from: string, to: string): string => `mount -n --bind ${quote(from)} ${at(to)}`;
  const machine = readdirSync('/').filter((name) => !OWN.includes(name));
  const isMachine = (point: string): boolean => machine.includes(point.split('/')[1]!);
  const own = `steps/step-${step}`;
  const lines = [
    READONLY_MOUNT,
    ENTER,
    `mount -n -t tmpfs -o mode=755,size=1m tmpfs ${quote(mountpoint)}`,
    ...topLevel(machine, mountpoint, options.mounts),
    // what is mounted below keeps its own flags, so each is set
    ...options.mounts.filter(({ point }) => isMachine(point) && point.lastIndexOf('/') > 0).map(({ point, options: flags }) => `readonly_mount ${readOnly(flags)} ${at(point)}`),
    `mkdir -p ${OWN.map((name) => at(`/${name}`)).join(' ')}`,
    ...processes(at),
    ...devices(at),
    `mount -n -t tmpfs -o mode=755,size=1m tmpfs ${at('/run')}`,
    ...RUN_KEPT.filter(existsSync).flatMap((path) => [`mkdir -p ${at(path)}`, `mount -n --rbind -o ${readOnly(flagsOf(path, options.mounts))} ${quote(path)} ${at(path)}`]),
    bind(join(temporary, 'tmp'), '/tmp'),
    ...(existsSync('/var/tmp') ? [bind(join(temporary, 'var-tmp'), '/var/tmp')] : []),
    `mount -n --bind -o ${readOnly(flagsOf(folders.tekton, options.mounts))} ${quote(folders.tekton)} ${at('/tekton')}`,
    ...['results', 'artifacts', 'home', `${own}/results`, `${own}/artifacts`].map((path) => bind(join(folders.tekton, path), `/tekton/${path}`)),
    bind(folders.workspace, '/workspace'),
    ...(folders.workspaces.length > 0 ? [`mkdir ${at(STAGING)}`, ...folders.workspaces.flatMap((workspace) => mountWorkspace(workspace, options)), `rmdir ${at(STAGING)}`] : []),
    ...Object.values(STEP_SOCKETS).map((path) => `: > ${at(path)}`),
    bind(sockets.workload, STEP_SOCKETS.workload),
    bind(sockets.seal, STEP_SOCKETS.seal),
    ...hide(options).flatMap(({ path, above }) => [
      // a mount point cannot be renamed: a step that could move a folder above the hidden one would show it to the next
      ...above.map((folder) => `mount -n --rbind ${at(folder)} ${at(folder)}`),
      `mount -n -t tmpfs -o ro,mode=555,size=4k tmpfs ${at(path)}`,
    ]),
    `mkdir ${at(OLD)}`,
    `cd ${quote(mountpoint)}`,
    `pivot_root . ${OLD}`,
    'cd /',
    `umount -n -l /${OLD}`,
    `rmdir /${OLD}`,
    'mount -n -o remount,bind,ro /',
  ];
  return lines.join('\n');
}

function topLevel(names: readonly string[], mountpoint: string, mounts: readonly Mount[]): string[] {
  const kinds = names.map((name) => [`/${name}`, lstatSync(`/${name}`)] as const);
  const links = kinds.filter(([, stat]) => stat.isSymbolicLink()).map(([path]) => quote(path));
  const folders = kinds.filter(([, stat]) => stat.isDirectory()).map(([path]) => path);
  const files = kinds.filter(([, stat]) => stat.isFile()).map(([path]) => path);
  const to = (path: string): string => quote(join(mountpoint, path));
  return [
    `mkdir ${folders.map(to).join(' ')}`,
    ...(links.length > 0 ? [`cp -P ${links.join(' ')} ${quote(mountpoint)}`] : []),
    ...folders.map((path) => `mount -n --rbind -o ${readOnly(flagsOf(path, mounts))} ${quote(path)} ${to(path)}`),
    ...files.flatMap((path) => [`: > ${to(path)}`, `mount -n --bind -o ${readOnly(flagsOf(path, mounts))} ${quote(path)} ${to(path)}`]),
  ];
}

function readOnly(flags: string): string {
  return flags.replace(/^r[wo]/, 'ro');
}

/** Of the mount that a path is on: a user who is not root may take none of them away from a bind of it. */
function flagsOf(path: string, mounts: readonly Mount[]): string {
  return mountOf(mounts, path).options;
}

function processes(at: (path: string) => string): string[] {
  const kept = PROC_READ_ONLY.filter((name) => existsSync(`/proc/${name}`));
  const proc = `mount -n -t proc -o nosuid,nodev,noexec proc ${at('/proc')}`;
  // with a namespace of its own a step may mount the cgroup that it shares with server and agent: to root it is writable
  const limit = at('/proc/sys/user/max_cgroup_namespaces');
  return [proc, `[ ! -e ${limit} ] || echo 0 > ${limit}`, ...kept.map((name) => `mount -n --bind -o ro,nosuid,nodev,noexec ${at(`/proc/${name}`)} ${at(`/proc/${name}`)}`)];
}

/** The machine's root may open any device file by permission alone: a disk has the hidden folders in it. */
function devices(at: (path: string) => string): string[] {
  return [
    `mount -n -t tmpfs -o mode=755,size=1m tmpfs ${at('/dev')}`,
    ...DEVICES.filter((name) => existsSync(`/dev/${name}`)).flatMap((name) => [`: > ${at(`/dev/${name}`)}`, `mount -n --bind /dev/${name} ${at(`/dev/${name}`)}`]),
    `mkdir ${at('/dev/shm')} ${at('/dev/pts')}`,
    `mount -n -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${at('/dev/shm')}`,
    `mount -n -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts ${at('/dev/pts')}`,
    ...['pts/ptmx ptmx', '/proc/self/fd fd', 'fd/0 stdin', 'fd/1 stdout', 'fd/2 stderr'].map((link) => `ln -s ${link.split(' ')[0]} ${at(`/dev/${link.split(' ')[1]}`)}`),
  ];
}

/**
 * First to a place of our own, where it is looked at: a step may put another folder, or a link, where the directory was.
 * Then from there to its mountPath, which may lie in a workspace too.
 */
function mountWorkspace({ name, directory, mountPath, readOnly: only, device, inode }: WorkspaceFolder, { mountpoint, mounts }: RootOptions): string[] {
  assertMountPath(name, mountPath);
  const staged = quote(join(mountpoint, STAGING, name));
  return [
    `mkdir ${staged}`,
    `mount -n --bind ${only ? `-o ${readOnly(flagsOf(directory, mounts))} ` : ''}${quote(directory)} ${staged}`,
    `[ "$(stat -c %d:%i ${staged})" = ${device}:${inode} ] || { echo ${quote(`workspace ${name}: ${directory} is not the directory that it was when the task began`)} >&2; exit 1; }`,
    `enter ${[mountpoint, ...mountPath.split('/').filter(Boolean)].map(quote).join(' ')}`,
    // -c: the place itself, not its path
    `mount -n -c --move ${staged} .`,
    'cd /',
    `rmdir ${staged}`,
  ];
}

function assertMountPath(workspace: string, path: string): void {
  const top = path.split('/')[1]!;
  const there = (): boolean => !existsSync(`/${top}`) || (existsSync(path) && realpathSync(path) === path && lstatSync(path).isDirectory());
  const possible = ['tmp', 'workspace'].includes(top) || (![...OWN, STAGING, OLD].includes(top) && !SYSTEM.test(top) && there());
  if (!possible) {
    throw new StepsealError('TASK_WORKSPACE_INVALID', `workspace ${workspace} cannot be mounted at its mountPath`, {
      expected: 'a directory of this machine that holds no programs or libraries, by its real path, or a path whose first folder does not exist',
      found: path,
    });
  }
}

interface HiddenPlace {
  readonly path: string;
  /** folders of a workspace on the way to it */
  readonly above: readonly string[];
}

/** Places in the new root at which a hidden folder would be seen. */
function hide({ hidden, mounts, folders }: RootOptions): HiddenPlace[] {
  const seen = hidden.flatMap((folder) => aliases(mounts, folder).filter((path) => existsSync(path)));
  const machine = seen.filter((path) => !['dev', 'proc', 'run', 'tmp'].includes(path.split('/')[1]!) && !isBelow(path, '/var/tmp'));
  const workspaces = folders.workspaces.flatMap(({ directory, mountPath }) =>
    seen.filter((path) => isBelow(path, directory)).map((path): HiddenPlace => {
      const parts = below(path, directory).split('/');
      return { path: join(mountPath, ...parts), above: parts.slice(1).map((_, index) => join(mountPath, ...parts.slice(0, index + 1))) };
    }));
  const places = [...machine.map((path): HiddenPlace => ({ path, above: [] })), ...workspaces];
  return places.filter(({ path }, index) => places.findIndex((other) => other.path === path) === index);
}
