import type { EnvVar } from './model.ts';

/**
 * Kubernetes' own expansion of command, args and env values: `$(NAME)` of a declared variable, `$$` for one `$`,
 * anything else as it stands (k8s core/v1 Container, EnvVar).
 */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$(?:\$|\(([^)]*)\))/g, (all, name: string | undefined) => (name === undefined ? '$' : (env.get(name) ?? all)));
}

/** Each value may use the variables before it. */
export function expandEnv(env: readonly EnvVar[]): EnvVar[] {
  const known = new Map<string, string>();
  return env.map(({ name, value }) => {
    const expanded = expand(value, known);
    known.set(name, expanded);
    return { name, value: expanded };
  });
}
