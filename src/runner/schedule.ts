import type { TaskRunPlan } from '../task/runPlan.ts';
import type { FinishedTask } from './taskRun.ts';

/**
 * Runs tasks as soon as all that they wait for have ended, at most `width` at once. `run` is asked for each in turn;
 * `skip` for those that are left when `stopped` became true. The first error is thrown when all that runs has ended.
 */
export async function schedule(
  tasks: readonly TaskRunPlan[],
  width: number,
  run: (task: TaskRunPlan) => Promise<FinishedTask>,
  skip: (task: TaskRunPlan) => FinishedTask,
  stopped: (ended: readonly [TaskRunPlan, FinishedTask][]) => boolean,
  onError: () => void,
): Promise<[TaskRunPlan, FinishedTask][]> {
  const ended: [TaskRunPlan, FinishedTask][] = [];
  const waiting = new Set(tasks);
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  const isReady = (task: TaskRunPlan): boolean => task.after.every((name) => ended.some(([{ pipelineTask }]) => pipelineTask === name));
  for (;;) {
    const ready = errors.length > 0 || stopped(ended) ? [] : [...waiting].filter(isReady).slice(0, width - running.size);
    for (const task of ready) {
      waiting.delete(task);
      const work = run(task)
        .then((finished) => void ended.push([task, finished]))
        .catch((error: unknown) => {
          errors.push(error);
          onError();
        })
        .finally(() => running.delete(work));
      running.add(work);
    }
    if (running.size === 0) break;
    await Promise.race(running);
  }
  if (errors.length > 0) throw errors[0];
  for (const task of waiting) ended.push([task, skip(task)]);
  return ended;
}
