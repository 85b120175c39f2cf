import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** The name of a user id: its own from the system, others from passwd(5); empty where there is none. */
export function userName(uid: number, passwd = '/etc/passwd'): string {
  if (uid === process.getuid?.()) return ownName();
  for (const line of readFileSync(passwd, 'utf8').split('\n')) {
    const [name, , id] = line.split(':');
    if (id === String(uid) && name !== undefined) return name;
  }
  return '';
}

function ownName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // uv_os_get_passwd: a uid without an entry, as in many containers
    if ((error as NodeJS.ErrnoException).code === 'ERR_SYSTEM_ERROR') return '';
    throw error;
  }
}
