import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isStepsealError } from '../base/errors.ts';
import { makeTemporary, type TaskFolders } from './folders.ts';
import { readMounts } from './mountinfo.ts';
import { startStep } from './process.ts';
import { rootCommands } from './root.ts';

/** Whether this machine lets a step have its own user, pid and mount namespace. */
export type Isolation = { readonly isolated: true } | { readonly isolated: false; readonly reason: string };

/** Makes the namespaces and the root of a step once, for nothing. `folder`: where it may make and remove a folder. */
export async function probeIsolation(folder: string = tmpdir()): Promise<Isolation> {
  const base = mkdtempSync(join(folder, 'stepseal-probe-'));
  try {
    const folders: TaskFolders = { base, tekton: join(base, 'tekton'), workspace: join(base, 'workspace'), workspaces: [] };
    const used = ['results', 'artifacts', 'home', 'steps/step-probe/results', 'steps/step-probe/artifacts'].map((path) => join(folders.tekton, path));
    for (const path of [...used, folders.workspace, join(base, 'root'), join(base, 'hidden')]) mkdirSync(path, { recursive: true });
    const sockets = { workload: join(base, 'workload'), seal: join(base, 'seal') };
    for (const path of Object.values(sockets)) writeFileSync(path, '');
    const root = rootCommands({
      mountpoint: join(base, 'root'),
      folders,
      step: 'probe',
      temporary: makeTemporary(folders, 'probe'),
      sockets,
      hidden: [join(base, 'hidden')],
      mounts: readMounts(),
    });
    let said = '';
    const onLine = (_: string, line: string): void => void (said += line);
    const step = await startStep({ argv: ['true'], env: { PATH: '/usr/bin:/bin' }, workingDir: '/', makeWorkingDir: false, root, folder: base, onLine });
    const { exitCode } = await step.run();
    await step.close();
    return exitCode === 0 ? { isolated: true } : { isolated: false, reason: said || `a step without privileges does not start (exit ${exitCode})` };
  } catch (error) {
    if (!isStepsealError(error)) throw error;
    return { isolated: false, reason: error.message };
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}
