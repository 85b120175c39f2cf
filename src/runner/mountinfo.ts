import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** proc_pid_mountinfo(5). */
export interface Mount {
  readonly device: string;
  /** path in the file system that stands at `point` */
  readonly root: string;
  readonly point: string;
  /** per-mount options, such as `rw,nosuid,relatime` */
  readonly options: string;
}

export function readMounts(): Mount[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').filter(Boolean).map((line) => {
    const [, , device, root, point, options] = line.split(' ') as [string, string, string, string, string, string];
    return { device, root: unescape(root), point: unescape(point), options };
  });
}

function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** Path of `path` below `folder`, '' for itself. */
export function below(path: string, folder: string): string {
  return folder === '/' ? path.slice(1) : path.slice(folder.length + 1);
}

/** The mount that a path without links is on; the last of those at one point hides the others. */
export function mountOf(mounts: readonly Mount[], path: string): Mount {
  return mounts.filter((mount) => isBelow(path, mount.point)).reduce((a, b) => (b.point.length >= a.point.length ? b : a));
}

/** Every path at which a folder is seen, itself first: a file system may be mounted in several places, and parts of it too. */
export function aliases(mounts: readonly Mount[], path: string): string[] {
  const home = mountOf(mounts, path);
  const inside = join(home.root, below(path, home.point));
  const others = mounts.filter((mount) => mount.device === home.device).flatMap((mount) => {
    if (isBelow(inside, mount.root)) return [join(mount.point, below(inside, mount.root))];
    // a mount that shows a part of the folder
    return isBelow(mount.root, inside) ? [mount.point] : [];
  });
  return [...new Set([path, ...others])];
}
