/** Resolves at a signal to stop, or when `other` does. */
export async function stopped(signal: AbortSignal, other: Promise<void> | undefined): Promise<void> {
  if (signal.aborted) return;
  const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  await Promise.race(other === undefined ? [aborted] : [aborted, other]);
}
