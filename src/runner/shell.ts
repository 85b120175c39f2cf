/** One word of a shell command line. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * First process of a step, in POSIX sh. It tells its pid as this machine counts it, waits for `go`, runs "$@", kills
 * what that left behind, tells exit status and number of processes left, and stays until the runner lets go of it: so
 * its namespaces outlive the step's own process until the agent has looked. Descriptor 3: words from the runner
 * (end of file: the runner is gone). 4: words to it. 5: standard error of the step. TERM kills everything of the step but this process.
 * `$dir`: where to start; `$make`: not empty when it is to be made.
 */
export const SUPERVISE = `
exec 2>&5 5>&-
IFS= read -r word <&3 || exit 0
[ "$word" = go ] || exit 0
if [ "$isolated" ]; then trap 'hit=1; kill -s KILL -- -1' TERM; else trap hit=1 TERM; fi
(
  exec 3<&- 4>&-
  [ -z "$make" ] || mkdir -p -- "$dir"
  cd -- "$dir" || { echo "stepseal: the working directory $dir is not there" >&2; exit 126; }
  exec "$@"
) &
main=$!
code=
while :; do
  hit=
  wait "$main"
  status=$?
  # a second wait for the same process, after a signal that came too late, knows nothing
  [ "$status" = 127 ] && [ "$code" ] || code=$status
  # a trapped signal ends wait early: the process may be there still
  [ "$hit" ] || break
done
left=0
if [ "$isolated" ]; then
  for stat in /proc/[0-9]*/stat; do
    IFS= read -r line < "$stat" 2>/dev/null || continue
    case "\${line##*) }" in Z*) ;; *) left=$((left + 1)) ;; esac
  done
  # not this process itself
  left=$((left - 1))
  kill -s KILL -- -1 2>/dev/null
fi
echo "exit $code $left" >&4
IFS= read -r word <&3
exit 0
`;

/** The very first line: /proc is this machine's still, so its numbers are too. */
export const TELL_PID = `read -r pid rest < /proc/self/stat
`;
