/**
 * npm test [-- FILE...]: the tests in the order of vitest.config.ts; npm run test:interop: the ones with foreign
 * programs. Ends with the plain line `N passed, N failed, N skipped`.
 */
const PROJECTS = ['unit', 'vectors', 'golden', 'property', 'rules', 'e2e', 'fault'];

const args = process.argv.slice(2);
const interop = args.includes('--interop');
const files = args.filter((arg) => arg !== '--interop');
const unknown = files.find((file) => file.startsWith('-'));
if (unknown !== undefined) {
  console.error(`unknown option ${unknown}; accepted are --interop and names of test files`);
  process.exit(2);
}

// a log keeps no escapes; read when vitest is loaded
if (!process.stdout.isTTY) process.env['NO_COLOR'] ??= '1';
const { startVitest } = await import('vitest/node');

const project = interop ? ['interop'] : files.length > 0 ? [] : PROJECTS;
const vitest = await startVitest('test', files, { watch: false, project, passWithNoTests: false, reporters: [process.stdout.isTTY ? 'default' : 'dot'] });

const count = { passed: 0, failed: 0, skipped: 0 };
for (const module of vitest.state.getTestModules()) {
  let tests = 0;
  for (const test of module.children.allTests()) {
    tests++;
    const state = test.result().state;
    count[state === 'pending' ? 'failed' : state]++;
  }
  // a file that does not load, or a hook that throws, has failed even where it has no failed test
  if (module.state() === 'failed' && (tests === 0 || module.errors().length > 0)) count.failed++;
}
count.failed += vitest.state.getUnhandledErrors().length;
await vitest.close();
console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed > 0 || count.passed === 0 ? 1 : 0);
