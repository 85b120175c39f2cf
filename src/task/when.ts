import type { WhenExpression } from './model.ts';
import { type Lookup, substitute, substituteList } from './variables.ts';

/** True where every expression holds; variables replaced first. Throws as `substitute`. */
export function whenHolds(expressions: readonly WhenExpression[], lookup: Lookup, place: string): boolean {
  return expressions.every((expression, i) => {
    const input = substitute(expression.input, lookup, `${place}[${i}].input`);
    const found = substituteList(expression.values, lookup, `${place}[${i}].values`).includes(input);
    return expression.operator === 'in' ? found : !found;
  });
}
