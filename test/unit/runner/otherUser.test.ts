import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const NOBODY = 65534;
const script = join(import.meta.dirname, '../../fakes/runAloneProcess.ts');

function asNobody(args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--', ...args], { input, encoding: 'utf8', env: { PATH: process.env['PATH'] }, cwd: '/' });
}

// not over /tmp: the checkout itself may be there
const flagged = 'mount -n -t tmpfs -o nosuid,nodev,noatime,mode=1777 tmpfs /mnt && TMPDIR=/mnt exec "$@"';

const possible = process.getuid?.() === 0 && asNobody(['test', '-r', script]).status === 0 && asNobody(['unshare', '-Urm', 'true']).status === 0 && asNobody([process.execPath, '--version']).status === 0;

const TASK = `
apiVersion: tekton.dev/v1
kind: Task
metadata: { name: demo }
spec:
  results: [{ name: r }]
  steps:
    - script: |
        set +e
        echo "$(id -u):$(id -g)"
        grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | awk '{ printf "%s ", $2 }'; echo
        printf x > $(results.r.path) && touch /workspace/mine && stat -c %u /workspace/mine
        (echo x > /usr/x) 2> /dev/null || echo read-only
        kill -KILL 1 2> /dev/null; (echo 'exit 0 0' > /proc/1/fd/4) 2> /dev/null || echo closed
        unshare -Urm sh -c 'umount /proc/sys; (echo x > /proc/sys/kernel/core_pattern)' 2> /dev/null || echo kept
        exit 5
`;

describe.runIf(possible)('a step that an ordinary user runs', () => {
  it('is that user, without capabilities, in the same isolation', () => {
    const { stdout, stderr } = asNobody([process.execPath, script], TASK);
    expect(stderr).toBe('');
    const { isolation, outcome, output } = JSON.parse(stdout) as { isolation: { isolated: boolean }; outcome: string; output: string[] };
    expect(isolation).toEqual({ isolated: true });
    expect(outcome).toBe('failed');
    expect(output).toEqual([`${NOBODY}:${NOBODY}`, `${'0'.repeat(16)} ${'0'.repeat(16)} 1 `, String(NOBODY), 'read-only', 'closed', 'kept']);
  });

  it('comes up where the folders of the run are on a file system with flags that may not be taken away', () => {
    const { stdout, stderr } = asNobody(['unshare', '-Urm', 'sh', '-c', flagged, 'sh', process.execPath, script], TASK);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ isolation: { isolated: true }, outcome: 'failed', output: ['0:0', expect.any(String), '0', 'read-only', 'closed', 'kept'] });
  });
});
