import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expand } from '../../src/task/expand.ts';
import { taskResults } from '../../src/task/results.ts';
import { parseResult, typeOf, type Value } from '../../src/task/value.ts';
import { references, substitute, substituteList } from '../../src/task/variables.ts';
import { parseYaml } from '../../src/task/yaml.ts';
import { object, plan } from '../unit/task/fixtures.ts';

const text = fc.string({ unit: 'grapheme' });

describe('task', () => {
  it('reads JSON, which is YAML, as what it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        // JSON's numbers beyond 2^53 and in E notation are not exact, or floats to YAML
        fc.pre(value !== null && !/\d{16}|\de[+-]?\d/.test(JSON.stringify(value)));
        expect(JSON.stringify(parseYaml(new TextEncoder().encode(JSON.stringify(value)), 'f')[0])).toBe(JSON.stringify(value));
      }),
      { numRuns: 200 },
    );
  });

  it('leaves text without variables alone, and values are never looked at again', () => {
    fc.assert(
      fc.property(text, text, text, (before, value, after) => {
        fc.pre(references(before, 'p').length === 0 && references(after, 'p').length === 0 && references(`${before}$(params.x)${after}`, 'p').length === 1);
        const lookup = (): string => value;
        expect(substitute(before, lookup, 'p')).toBe(before);
        expect(substitute(`${before}$(params.x)${after}`, lookup, 'p')).toBe(before + value + after);
        expect(substituteList(['$(params.x)'], lookup, 'p')).toEqual([value]);
      }),
    );
  });

  it('expands nothing where no variable is declared, but $$', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', 'a', ')', ' ') }), (value) => {
        expect(expand(value, new Map())).toBe(value.replaceAll('$$', () => '$'));
      }),
    );
  });

  it('hands any value of a step result on as it was', () => {
    const made = plan(
      object(
        'Task',
        't',
        `
results:
  - { name: string, value: $(steps.s.results.string) }
  - { name: array, type: array, value: "$(steps.s.results.array[*])" }
  - { name: object, type: object, properties: { k: {} }, value: "$(steps.s.results.object[*])" }
steps:
  - { name: s, script: x, results: [{ name: string }, { name: array, type: array }, { name: object, type: object, properties: { k: {} } }] }`,
      ),
    );
    const values: fc.Arbitrary<Value> = fc.oneof(text, fc.array(text), fc.dictionary(fc.constantFrom('k', 'l'), text));
    fc.assert(
      fc.property(values, (value) => {
        const type = typeOf(value);
        const content = taskResults(made.taskRuns[0]!, {}, { s: { [type]: JSON.stringify(value) } })[type]!;
        expect(parseResult('r', content, type)).toEqual(value);
      }),
    );
  });
});
